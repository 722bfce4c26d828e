// Events of the past, asked for by range.

import type { EventFrame, RequestOptions } from "./subscription.js";

/** Which events, and how long to wait for them. */
export interface HistoryOptions extends RequestOptions {
  /** Only events before this offset. */
  readonly before?: number | undefined;
  /** Only events after this offset; they begin with the first of these, else they end with the last. */
  readonly after?: number | undefined;
  /** At most so many events, up to 1,000. Default: 100. The server may give fewer: it cuts a reply at 256 KiB. */
  readonly limit?: number | undefined;
}

/** An event of the past: its data, and its frame's fields but for the topic. */
export interface HistoryEvent<Event> extends Omit<EventFrame, "topic"> {
  /** The event; `null` for the removal of a key. */
  readonly data: Event;
}

/** A part of a topic's history. */
export interface History<Event> {
  /** The name of the life of the topic whose offsets these are. A page of another epoch does not join this one. */
  readonly epoch: string;
  /** The offset of the newest event when the server answered. */
  readonly head: number;
  /** In order of their offsets. */
  readonly events: readonly HistoryEvent<Event>[];
}
