// A seeded random source, so that a run that failed can be had again: `SEED=… npm run e2e`.

/** The seed of this run. */
export const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

/** Random numbers that a seed determines (mulberry32). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0 to 1, without it. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number of these two or between them. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** The same elements in another order. */
  shuffled<T>(elements: readonly T[]): T[] {
    const left = [...elements];
    return elements.map(() => left.splice(this.between(0, left.length - 1), 1)[0] as T);
  }
}

/** Passes time: that of a storm, never to wait for something. */
export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
