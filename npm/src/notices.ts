// The page's code that waits until the core is left.

import type { ErrorSink } from "./errors.js";

/** A queue of calls into the page, made one after the other and each guarded. */
export class Notices {
  #calls: (() => void)[] = [];
  #busy = false;
  readonly #onError: ErrorSink;

  constructor(onError: ErrorSink) {
    this.#onError = onError;
  }

  push(...calls: readonly (() => void)[]): void {
    this.#calls.push(...calls);
  }

  /** Makes the calls. What they lead to is queued behind them. */
  flush(): void {
    if (this.#busy) return;
    this.#busy = true;
    for (let call = this.#calls.shift(); call; call = this.#calls.shift()) {
      try {
        call();
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#busy = false;
  }
}
