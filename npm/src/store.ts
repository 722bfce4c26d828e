// A value that changes, in the form that frameworks read: React's useSyncExternalStore, a Svelte or Vue adapter.

/** A value that can be read at any time and watched. */
export interface Store<Value> {
  /** The present value: the same object until something changes. */
  getSnapshot(): Value;
  /** Calls `listener` after every change, until the returned function is called. */
  subscribe(listener: () => void): () => void;
}

/**
 * A store that its owner sets. Its methods may be passed on without their object.
 *
 * @internal
 */
export class Cell<Value> implements Store<Value> {
  #value: Value;
  #listeners: readonly (() => void)[] = [];

  constructor(value: Value) {
    this.#value = value;
  }

  readonly getSnapshot = (): Value => this.#value;

  readonly subscribe = (listener: () => void): (() => void) => {
    // Wrapped, so that one function given twice is two listeners. The list is replaced, never changed: who is called
    // may subscribe and unsubscribe.
    const call = () => listener();
    this.#listeners = [...this.#listeners, call];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== call);
    };
  };

  /** Sets the value and gives the listeners to call, which the owner does when it is safe to run foreign code. */
  put(value: Value): readonly (() => void)[] {
    this.#value = value;
    return this.#listeners;
  }
}
