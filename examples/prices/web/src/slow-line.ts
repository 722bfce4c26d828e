// The slow line: a second connection of the page, which brings no more than the visitor wants. The server sees a reader that does not
// keep up.

import { connect, items, type Store } from "tidewire";
import { DRAWN_EVERY } from "./live";
import { market, type Quote } from "./prices.schema";
import { sampled } from "./sampled";

/** The speeds to choose from; `null` is all there is. */
export const SPEEDS = [
  { label: "Full speed", bytesPerSecond: null },
  { label: "20 kB/s", bytesPerSecond: 20_000 },
  { label: "5 kB/s", bytesPerSecond: 5_000 },
  { label: "Stopped", bytesPerSecond: 0 },
] as const;

export type Speed = (typeof SPEEDS)[number];

/** What the line has brought. Immutable. */
export interface SlowLine {
  readonly speed: Speed;
  readonly isConnected: boolean;
  /** The last quote of each symbol; `undefined` before there is any. */
  readonly quotes: ReadonlyMap<string, Quote> | undefined;
  /** Events that came, since the page was opened. */
  readonly received: number;
  /** Events that will not come, because a later one of the same symbol took their place. */
  readonly leftOut: number;
  /** How often the server told of such events. */
  readonly gaps: number;
}

const live = connect(market, { url: "/line" });

let speed: Speed = SPEEDS[0];
let received = 0;
let leftOut = 0;
let gaps = 0;
/** Where in the topic the line has come to. */
let offset = 0;
let snapshot: SlowLine | undefined;
const listeners = new Set<() => void>();

const prices = live.subscribe("prices", (_quote, frame) => came(frame.offset), {
  state: items(),
  onRemoved: (_symbol, frame) => came(frame.offset),
  onGap: ({ cause }) => {
    if (cause === "conflated") gaps++;
  },
});

/** Counts an event; offsets before it that did not come never will. */
function came(at: number): void {
  received++;
  if (offset > 0 && at > offset) leftOut += at - offset - 1;
  offset = at;
  changed();
}

function changed(): void {
  snapshot = undefined;
  for (const listener of listeners) listener();
}

const store: Store<SlowLine> = {
  getSnapshot() {
    const isConnected = live.connection.getSnapshot().state === "connected";
    const quotes = prices.state.getSnapshot().value;
    snapshot ??= { speed, isConnected, quotes, received, leftOut, gaps };
    return snapshot;
  },
  subscribe(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

/** What the line has brought, as often as the page draws. */
export const slowLine = sampled(store, DRAWN_EVERY);

/** Makes the line as fast as this, also after it was lost. */
export function setSpeed(wanted: Speed): void {
  speed = wanted;
  changed();
  tell();
}

function tell(): void {
  if (live.connection.getSnapshot().state !== "connected") return;
  // The answer comes by the line, when there is room; nobody waits for it.
  live.call("line.speed", { bytes_per_second: speed.bytesPerSecond }, { timeout: Number.POSITIVE_INFINITY }).catch(() => {});
}

prices.state.subscribe(changed);
let session: string | undefined;
live.connection.subscribe(() => {
  const connection = live.connection.getSnapshot();
  if (connection.session !== session && speed !== SPEEDS[0]) tell();
  session = connection.session;
  changed();
});
