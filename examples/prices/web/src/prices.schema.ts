// Written by `Market::export` from the Rust schema `Market` of `tidewire_prices_schema`: change that and export again.
import type { Schema } from "tidewire";

/** How fast a slow line is. */
export type LineSpeed = {
  /** What it carries to the page; 0 for nothing, `None` for all there is. */
  bytes_per_second: number | null;
};

/** What a symbol is worth now. Each stands for itself: whoever has the last one of a symbol needs none before it. */
export type Quote = {
  /** The key. */
  symbol: string;
  /** Whose shares they are. */
  name: string;
  /** The price of the last trade. */
  price: number;
  /** The price of the day's first. */
  open: number;
  /** The day's lowest price. */
  low: number;
  /** The day's highest price. */
  high: number;
  /** How many shares changed hands today. */
  volume: number;
  /** When the last did, in milliseconds since 1970. */
  at_ms: number;
};

/** The server's own numbers. Totals count since it was started. */
export type Stats = {
  /** When they were read, in milliseconds since 1970. */
  at_ms: number;
  /** Whether the market is open. */
  trading: boolean;
  /** Sessions that are open. */
  sessions: number;
  /** Quotes that were published. */
  quotes_total: number;
  /** Frames that were sent, to all sessions together. */
  sent_total: number;
  /** Bytes that wait for sockets now. */
  queued_bytes: number;
  /** Times that a subscription did not keep up. */
  lags_total: number;
  /** Gaps that were told of because later events of the same key had taken the place of those missing. */
  conflated_total: number;
};

/** The way that a symbol's price has come. A topic of its own, so that the line is whole also where prices were left out. */
export type Trail = {
  /** The key. */
  symbol: string;
  /** Its prices every two seconds, the last one last. */
  prices: Array<number>;
};

/** The topics of Market, by pattern. */
export interface MarketTopics {
  /** The last quote of each symbol. A delisted symbol is removed. */
  "prices": { event: Quote; publish: never; key: "symbol"; snapshot: { [key in string]: Quote } };
  /** The trail of each symbol. */
  "trails": { event: Trail; publish: never; key: "symbol"; snapshot: { [key in string]: Trail } };
  /** The server's numbers, every second. */
  "stats": { event: Stats; publish: never; snapshot: Array<Stats> };
}

/** The calls of Market, by name. */
export interface MarketCalls {
  /** Opens the market for everybody, or halts it. */
  "market.trading": { args: boolean; reply: null };
  /** Sets the speed of the line that this connection came by. */
  "line.speed": { args: LineSpeed; reply: null };
}

/** A market that all see, and what it costs the server. */
export const market: Schema<MarketTopics, MarketCalls> = {
  name: "Market",
  entries: {
    "prices": "d5d7cd7093903978",
    "trails": "6a22c51bd98e94c3",
    "stats": "30db6736eb672705",
    "market.trading": "9c4db9ac6105b143",
    "line.speed": "cf06a2cc608e4b48",
  },
};
