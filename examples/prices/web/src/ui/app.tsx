// The whole page: the board, and beside it what a slow reader sees and what the server does.

import { useSyncExternalStore } from "react";
import { items } from "tidewire";
import { useCall, useConnection, useTopic } from "tidewire/react";
import { indexOf, places } from "../board";
import { live, quotes } from "../live";
import { ConnectionPill } from "./connection-pill";
import { Headline } from "./headline";
import { LinePanel } from "./line-panel";
import { ServerPanel } from "./server-panel";
import { Tile } from "./tile";

export function App() {
  const { value: quoted } = useSyncExternalStore(quotes.subscribe, quotes.getSnapshot);
  const { state: trails } = useTopic(live, "trails");
  const { state: reports = [] } = useTopic(live, "stats", { state: items({ keep: 60 }) });
  const trading = reports.at(-1)?.trading ?? true;
  const board = quoted ? places(quoted, trails) : [];
  return (
    <>
      <header className="top">
        <span className="brand-mark">
          <svg className="icon" viewBox="0 0 20 20" aria-hidden="true">
            <path d="M2.5 13.5l4-4.5 3.5 2.5L14 6l3.5 3" />
          </svg>
        </span>
        <h1>
          <span className="roomy">Tidewire </span>prices
        </h1>
        <ConnectionPill />
        <TradingButton trading={trading} />
      </header>
      <main>
        <div className="market" data-halted={trading ? undefined : ""}>
          <Headline index={indexOf(board)} />
          <a className="jump" href="#slow-reader">
            What a slow reader sees ↓
          </a>
          <ul className="board" aria-label="Prices" aria-busy={!quoted}>
            {board.map((place) => (
              <Tile key={place.symbol} {...place} />
            ))}
          </ul>
        </div>
        <aside>
          <LinePanel board={board} />
          <ServerPanel stats={reports} />
        </aside>
      </main>
    </>
  );
}

function TradingButton({ trading }: { trading: boolean }) {
  const { state } = useConnection(live);
  const { call } = useCall(live, "market.trading");
  const label = trading ? "Halt trading" : "Resume trading";
  return (
    <button className="trading" disabled={state !== "connected"} onClick={() => call(!trading)} aria-label={label}>
      {label.split(" ")[0]}
      <span className="roomy"> trading</span>
    </button>
  );
}
