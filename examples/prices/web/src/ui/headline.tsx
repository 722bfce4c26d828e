// The market as a whole: its index, and how many symbols are up and down.

import type { Index } from "../board";
import { changeText, priceText, wayOf } from "../format";
import { Sparkline } from "./sparkline";
import { Arrow } from "./tile";

export function Headline({ index }: { index: Index }) {
  const { value, open, trail, up, down } = index;
  const way = wayOf(open, value);
  return (
    <section className="headline" aria-label="The market" data-way={way}>
      <div className="headline-value">
        <h2>Tide 40</h2>
        <p className="headline-price">{priceText(value)}</p>
        <p className="change">
          <Arrow way={way} />
          {changeText(open, value)}
        </p>
      </div>
      <Sparkline values={trail} way={way} level={open} />
      <div className="breadth">
        <span className="breadth-up">{up} up</span>
        <span className="breadth-bar" aria-hidden="true">
          <i style={{ flexGrow: up }} />
          <i style={{ flexGrow: down }} />
        </span>
        <span className="breadth-down">{down} down</span>
      </div>
    </section>
  );
}
