// One symbol on the board.

import { memo, useMemo, useState } from "react";
import type { Place } from "../board";
import { changeText, priceText, shortText, type Way, wayOf } from "../format";
import type { Quote } from "../prices.schema";
import { Sparkline } from "./sparkline";

export const Tile = memo(
  function Tile({ symbol, quote, trail }: Place) {
    if (!quote) {
      return (
        <li className="tile" data-symbol={symbol} data-delisted="">
          <b className="symbol">{symbol}</b>
          <span className="delisted">Delisted</span>
        </li>
      );
    }
    return <Listed quote={quote} trail={trail?.prices ?? []} />;
  },
  (before, after) => before.quote === after.quote && before.trail === after.trail,
);

function Listed({ quote, trail }: { quote: Quote; trail: readonly number[] }) {
  const { symbol, name, price, open, low, high, volume } = quote;
  const move = useMove(price);
  const way = wayOf(open, price);
  const values = useMemo(() => [...trail, price], [trail, price]);
  return (
    <li className="tile" data-symbol={symbol} data-way={way} title={`${name}, ${shortText(volume)} shares today`}>
      <div className="who">
        <b className="symbol">{symbol}</b>
        <span className="name">{name}</span>
      </div>
      <Sparkline values={values} way={way} level={open} />
      <div className="worth">
        {/* A new element for each move, which begins to flash. */}
        <span key={move.count} className="price" data-move={move.way}>
          {priceText(price)}
        </span>
        <span className="change">
          <Arrow way={way} />
          {changeText(open, price)}
        </span>
      </div>
      <div className="range" aria-hidden="true">
        <i style={{ left: `${((price - low) / (high - low || 1)) * 100}%` }} />
      </div>
    </li>
  );
}

export function Arrow({ way }: { way: Way }) {
  return <span className="arrow">{way === "up" ? "▲" : way === "down" ? "▼" : "•"}</span>;
}

interface Move {
  readonly price: number;
  readonly way: Way;
  readonly count: number;
}

/** The last move of a price, and how many there were. */
function useMove(price: number): Move {
  const [last, setLast] = useState<Move>({ price, way: "flat", count: 0 });
  if (last.price === price) return last;
  const next = { price, way: wayOf(last.price, price), count: last.count + 1 };
  setLast(next);
  return next;
}
