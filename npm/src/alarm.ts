// The one timer of a connection.

/** Browsers take a longer delay for none at all. */
const LONGEST_MS = 2 ** 31 - 1;

/** A timer that is set to a moment and only ever fires too early: its owner then sets it again. */
export interface Alarm {
  /** Rings at this moment of `Date.now()` at the latest, `Infinity` for never; an earlier one that was set stays. */
  set(at: number): void;
  clear(): void;
}

/** An alarm that calls `ring`. */
export function alarm(ring: () => void): Alarm {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let next = Infinity;
  const clear = () => {
    clearTimeout(timer);
    next = Infinity;
  };
  const set = (at: number) => {
    if (at >= next) return;
    clear();
    next = at;
    const fire = () => {
      next = Infinity;
      ring();
    };
    timer = setTimeout(fire, Math.min(at - Date.now(), LONGEST_MS));
  };
  return { set, clear };
}
