// The board: what there is to show of each symbol, and of all together.

import type { Quote, Trail } from "./prices.schema";

/** One symbol's place. It is kept when the symbol is delisted, so that the others stay where they are. */
export interface Place {
  readonly symbol: string;
  readonly quote: Quote | undefined;
  readonly trail: Trail | undefined;
}

/** All symbols together. */
export interface Index {
  readonly value: number;
  readonly open: number;
  readonly trail: readonly number[];
  readonly up: number;
  readonly down: number;
}

/** Symbols that were ever listed while the page was open. */
const known = new Set<string>();

type Keyed<Value> = ReadonlyMap<string, Value>;

export function places(quotes: Keyed<Quote>, trails: Keyed<Trail> | undefined): readonly Place[] {
  for (const symbol of quotes.keys()) known.add(symbol);
  return [...known].sort().map((symbol) => ({ symbol, quote: quotes.get(symbol), trail: trails?.get(symbol) }));
}

/** What a day begins with. */
const OPEN = 1000;

/** The mean of all listed symbols, each of the same weight. */
export function indexOf(listed: readonly Place[]): Index {
  const quoted = listed.flatMap(({ quote, trail }) => (quote ? [{ quote, trail }] : []));
  const mean = (values: readonly number[]) =>
    values.length === 0 ? OPEN : (OPEN * values.reduce((sum, value) => sum + value, 0)) / values.length;
  const trails = quoted.flatMap(({ quote, trail }) =>
    trail ? [trail.prices.map((price) => price / quote.open)] : [],
  );
  const length = Math.max(0, ...trails.map((trail) => trail.length));
  // Trails that are shorter, of symbols that have just come back, count where they are.
  const at = (place: number) => mean(trails.flatMap((trail) => trail.at(place - length) ?? []));
  const value = mean(quoted.map(({ quote }) => quote.price / quote.open));
  return {
    value,
    open: OPEN,
    trail: [...Array.from({ length }, (_, place) => at(place)), value],
    up: quoted.filter(({ quote }) => quote.price > quote.open).length,
    down: quoted.filter(({ quote }) => quote.price < quote.open).length,
  };
}
