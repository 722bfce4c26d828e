// The one timer of a connection.

/** Browsers take a longer delay for none at all. */
const LONGEST_MS = 2 ** 31 - 1;

/** A timer that is set to a moment and only ever fires too early: its owner then sets it again. */
export class Alarm {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #at = Infinity;
  readonly #ring: () => void;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Rings at this moment of `Date.now()` at the latest, `Infinity` for never; an earlier one that was set stays. */
  set(at: number): void {
    if (at >= this.#at) return;
    this.clear();
    this.#at = at;
    const delay = Math.min(Math.max(at - Date.now(), 0), LONGEST_MS);
    this.#timer = setTimeout(() => {
      this.#at = Infinity;
      this.#ring();
    }, delay);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#at = Infinity;
  }
}
