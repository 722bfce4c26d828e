// Chance that can be had again.

/** The seed of this run: TIDEWIRE_SEED, else a new one. */
export const seedOf = (): number => Number(process.env.TIDEWIRE_SEED ?? Math.floor(Math.random() * 2 ** 32));

/** Mulberry32: numbers below a bound. */
export function randomFrom(state: number): (below: number) => number {
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
