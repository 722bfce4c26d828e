// What the board costs the server.

import { wholeText } from "../format";
import type { Stats } from "../prices.schema";
import { Figure } from "./figure";
import { Sparkline } from "./sparkline";

export function ServerPanel({ stats }: { stats: readonly Stats[] }) {
  const now = stats.at(-1);
  const published = rates(stats, ({ quotes_total }) => quotes_total);
  const sent = rates(stats, ({ sent_total }) => sent_total);
  return (
    <section className="panel" aria-label="The server">
      <h2>The server</h2>
      <div className="flow">
        <Flow name="quotes published" rates={published} />
        <Flow name="frames sent" rates={sent} />
      </div>
      <dl className="figures">
        <Figure name="Sessions" value={wholeText(now?.sessions ?? 0)} />
        <Figure name="Bytes queued" value={wholeText(now?.queued_bytes ?? 0)} />
        <Figure name="Fell behind" value={wholeText(now?.lags_total ?? 0)} />
        <Figure name="Conflated gaps" value={wholeText(now?.conflated_total ?? 0)} />
      </dl>
    </section>
  );
}

function Flow({ name, rates }: { name: string; rates: readonly number[] }) {
  return (
    <div>
      <p className="flow-rate">
        <b>{wholeText(rates.at(-1) ?? 0)}</b> /s
      </p>
      <Sparkline values={rates} way="flat" />
      <p className="flow-name">{name}</p>
    </div>
  );
}

/** How fast a total grew, per second, between each two of the server's reports. */
function rates(stats: readonly Stats[], total: (stats: Stats) => number): readonly number[] {
  return stats.slice(1).map((later, at) => {
    const earlier = stats[at] as Stats;
    const seconds = (later.at_ms - earlier.at_ms) / 1000;
    // Reports that come closer, as when the market halts, say little.
    return seconds < 0.2 ? 0 : Math.max(0, total(later) - total(earlier)) / seconds;
  });
}
