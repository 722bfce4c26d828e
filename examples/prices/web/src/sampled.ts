// A store that changes too often, made calm.

import type { Store } from "tidewire";

/** A store with the values of another, which changes at most every `ms` milliseconds. */
export function sampled<Value>(store: Store<Value>, ms: number): Store<Value> {
  let value = store.getSnapshot();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const listeners = new Set<() => void>();
  const take = () => {
    timer = undefined;
    value = store.getSnapshot();
    for (const listener of listeners) listener();
  };
  store.subscribe(() => {
    timer ??= setTimeout(take, ms);
  });
  return {
    getSnapshot: () => value,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
