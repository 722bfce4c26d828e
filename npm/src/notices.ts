// The page's code that waits until the core is left.

import type { ErrorSink } from "./errors.js";

/** A queue of calls into the page, made one after the other and each guarded. */
export interface Notices {
  push(calls: readonly (() => void)[]): void;
  /** Makes the calls. What they lead to is queued behind them. */
  flush(): void;
}

/** An empty queue; `onError` takes what the calls throw. */
export function notices(onError: ErrorSink): Notices {
  let isBusy = false;
  const waiting: (() => void)[] = [];
  return {
    push: (calls) => void waiting.push(...calls),
    flush() {
      if (isBusy) return;
      isBusy = true;
      for (let call = waiting.shift(); call; call = waiting.shift()) {
        try {
          call();
        } catch (error) {
          onError(error);
        }
      }
      isBusy = false;
    },
  };
}
