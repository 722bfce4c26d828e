// The board as a slow reader has it, beside what it would be.

import { type CSSProperties, useEffect, useState, useSyncExternalStore } from "react";
import type { Place } from "../board";
import { secondsText, wholeText } from "../format";
import type { Quote } from "../prices.schema";
import { SPEEDS, setSpeed, slowLine } from "../slow-line";
import { Figure } from "./figure";

/** A quote that is so much older than the server's is as pale as it gets. */
const STALE_MS = 6_000;

export function LinePanel({ board }: { board: readonly Place[] }) {
  const line = useSyncExternalStore(slowLine.subscribe, slowLine.getSnapshot);
  const rate = useRate();
  const behind = newest(board.map(({ quote }) => quote)) - newest(line.quotes?.values() ?? []);
  return (
    <section className="panel" id="slow-reader" aria-label="A slow reader">
      <h2>A slow reader</h2>
      <p className="about">
        The same board, by a line as slow as you like. What does not fit through is conflated: of each symbol the newest quote waits,
        and nothing before it.
      </p>
      <div className="speeds" role="radiogroup" aria-label="Speed of the line">
        {SPEEDS.map((speed) => (
          <button key={speed.label} role="radio" aria-checked={speed === line.speed} onClick={() => setSpeed(speed)}>
            {speed.label}
          </button>
        ))}
      </div>
      <ul className="cells" aria-label="How old each symbol is there">
        {board.map((place) => (
          <Cell key={place.symbol} place={place} there={line.quotes?.get(place.symbol)} />
        ))}
      </ul>
      <dl className="figures">
        <Figure name="Behind" value={line.quotes && line.isConnected ? secondsText(Math.max(0, behind)) : "–"} />
        <Figure name="Quotes per second" value={wholeText(rate)} />
        <Figure name="Left out" value={wholeText(line.leftOut)} />
        <Figure name="Gaps told" value={wholeText(line.gaps)} />
      </dl>
    </section>
  );
}

function Cell({ place: { symbol, quote }, there }: { place: Place; there: Quote | undefined }) {
  const age = !quote && !there ? undefined : quote && there ? Math.max(0, quote.at_ms - there.at_ms) : STALE_MS;
  const style = { "--stale-part": Math.min(1, (age ?? 0) / STALE_MS) } as CSSProperties;
  return (
    <li
      className="cell"
      data-symbol={symbol}
      data-age={age === undefined ? "none" : age > 0 ? "old" : "same"}
      style={style}
      title={there ? `${symbol} ${there.price.toFixed(2)}` : symbol}
    >
      {symbol}
    </li>
  );
}

function newest(quotes: Iterable<Quote | undefined>): number {
  let newest = 0;
  for (const quote of quotes) newest = Math.max(newest, quote?.at_ms ?? 0);
  return newest;
}

/** How many quotes came by the line in the last second. */
function useRate(): number {
  const [rate, setRate] = useState(0);
  useEffect(() => {
    let last = slowLine.getSnapshot().received;
    const timer = setInterval(() => {
      const next = slowLine.getSnapshot().received;
      setRate(next - last);
      last = next;
    }, 1000);
    return () => clearInterval(timer);
  }, []);
  return rate;
}
