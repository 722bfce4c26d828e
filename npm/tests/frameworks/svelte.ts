// A store in Svelte. docs/client.md shows this file.

import { createSubscriber } from "svelte/reactivity";
import type { Store } from "../../src/index.js";

/** What a store has, watched while a component reads it. */
export function watched<Value>(store: Store<Value>): { readonly current: Value } {
  const watch = createSubscriber((update) => store.subscribe(update));
  return {
    get current() {
      watch();
      return store.getSnapshot();
    },
  };
}
