// A store in Solid. docs/client.md shows this file.

import { type Accessor, createEffect, createMemo, createSignal, onCleanup } from "solid-js";
import type { Store } from "../../src/index.js";

/** What a store has, watched while its owner is there; another one where `of` gives another. */
export function fromStore<Value>(of: () => Store<Value>): Accessor<Value> {
  const store = createMemo(of);
  const [value, setValue] = createSignal(store().getSnapshot());
  createEffect(() => {
    const { subscribe, getSnapshot } = store();
    const read = () => setValue(() => getSnapshot());
    onCleanup(subscribe(read));
    read();
  });
  return value;
}
