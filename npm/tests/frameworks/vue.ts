// A store in Vue. docs/client.md shows this file.

import { computed, type ShallowRef, shallowRef, watchEffect } from "vue";
import type { Store } from "../../src/index.js";

/** What a store has, watched while the component is there; another one where `of` gives another. */
export function useStore<Value>(of: () => Store<Value>): Readonly<ShallowRef<Value>> {
  const store = computed(of);
  const value = shallowRef(store.value.getSnapshot());
  watchEffect((onCleanup) => {
    const { subscribe, getSnapshot } = store.value;
    const read = () => (value.value = getSnapshot());
    onCleanup(subscribe(read));
    read();
  });
  return value;
}
