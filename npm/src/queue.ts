// Events on their way to a `for await` loop: bounded, because a loop can be slower than its topic.

/** A bounded queue with one reader. */
export class Queue<Value> implements AsyncIterableIterator<Value, undefined> {
  #values: Value[] = [];
  #waiting: ((result: IteratorResult<Value, undefined> | PromiseLike<IteratorResult<Value, undefined>>) => void)[] = [];
  #ended = false;
  #error: unknown;
  readonly #capacity: number;
  readonly #onReturn: () => void;

  /** @param onReturn called when the reader stops reading. */
  constructor(capacity: number, onReturn: () => void) {
    this.#capacity = capacity;
    this.#onReturn = onReturn;
  }

  /** Adds a value for the reader; `false` if there is no room for it. */
  push(value: Value): boolean {
    if (this.#ended) return true;
    const reader = this.#waiting.shift();
    if (reader) {
      reader({ value, done: false });
    } else if (this.#values.length >= this.#capacity) {
      return false;
    } else {
      this.#values.push(value);
    }
    return true;
  }

  /** Ends the queue: the reader gets what is in it, then the error if there is one, then the end. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    for (const reader of this.#waiting.splice(0)) reader(this.#last());
  }

  async next(): Promise<IteratorResult<Value, undefined>> {
    if (this.#values.length > 0) return { value: this.#values.shift() as Value, done: false };
    if (this.#ended) return this.#last();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async return(): Promise<IteratorResult<Value, undefined>> {
    this.#values = [];
    this.end();
    this.#error = undefined;
    this.#onReturn();
    return this.#last();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** What a reader gets at the end: the error once. */
  async #last(): Promise<IteratorResult<Value, undefined>> {
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
    return { value: undefined, done: true };
  }
}
