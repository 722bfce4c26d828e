/// <reference lib="esnext.disposable" preserve="true" />
// What a page holds of a topic.

import type { TidewireError } from "./errors.js";
import type { History, HistoryOptions } from "./history.js";
import type { Store } from "./store.js";

/** A place in a topic's events. Offsets of different epochs do not compare. */
export interface Position {
  /** The name of one life of the topic's offsets. */
  readonly epoch: string;
  /** The number of an event within it. */
  readonly offset: number;
}

/** An event's frame as it came, beside its data. */
export interface EventFrame {
  /** The topic's name. */
  readonly topic: string;
  /** The event's number, growing within the topic's epoch. */
  readonly offset: number;
  /** The number of the topic's event before this one. */
  readonly prev: number;
  /** The key of a keyed topic's event. */
  readonly key?: string;
  /** The key is no more; there is no data. */
  readonly removed?: true;
  /** The name of the publish that the event came from, where a client published it. */
  readonly mid?: string;
}

/** Takes the events of a topic, in order. What it throws is reported and harms nothing else. */
export type EventHandler<Event> = (event: Event, frame: EventFrame) => void;

/** A range of events that this subscription will not get. */
export interface Gap {
  /** The offset before the first missing event. */
  readonly after: number;
  /** The last missing offset. */
  readonly to: number;
  /**
   * - `dropped`: this client was too slow;
   * - `conflated`: later events of the same key took their place;
   * - `lost`: the topic's history no longer has them;
   * - `new_epoch`: the topic began anew, and nobody knows what came at the end of its earlier life. `after` is an
   *   offset of that life, `to` one of the new.
   */
  readonly cause: "dropped" | "conflated" | "lost" | "new_epoch";
}

/** Options of a publish. */
export interface PublishOptions {
  /** Rejects it with `cancelled`, though it may have been done; the error's `cause` is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How long to wait for an answer. */
export interface RequestOptions {
  /** Milliseconds until it is rejected with `timeout`, or `not_sent` if there was no connection; `Infinity` for never. Default: 30,000. */
  readonly timeout?: number | undefined;
  /** Rejects it with `cancelled`; the error's `cause` is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of a subscription. */
export interface SubscribeOptions {
  /** Called when events are missing for good, before the next event. Default: nothing is called. */
  readonly onGap?: ((gap: Gap) => void) | undefined;
  /** Called when a key of a keyed topic is no more, of which handlers and loops hear nothing. Default: nothing is called. */
  readonly onRemoved?: ((key: string, frame: EventFrame) => void) | undefined;
  /**
   * For streams: how many events wait for the loop that reads them. One more ends the stream with the error `limit`
   * after those that waited. Default: 256, the server's own queue for a session.
   */
  readonly buffer?: number | undefined;
  /**
   * Makes this page's user a member of the topic's presence: the wish, any JSON value but `null`, that the server's `presence` hook reads, as
   * `{ status: "here" }`. Of several subscriptions of a page the last one's counts. Default: the user is no member.
   */
  readonly presence?: unknown;
  /** Closes the subscription, as {@link Subscription.close}, when it is aborted: what waits for `ready` is rejected, a loop ends. Default: none. */
  readonly signal?: AbortSignal | undefined;
  /** Keeps the topic's state, of which the server gives a snapshot first: see {@link StateOptions}. Default: none. */
  readonly state?: undefined;
}

/** The state of a subscription at one moment. Immutable: every change makes a new one. */
export interface SubscriptionStatus {
  /**
   * - `subscribing`: the server has not yet answered, or the connection is lost;
   * - `live`: events flow;
   * - `closed`: ended by the page, or by the server with {@link error}.
   */
  readonly state: "subscribing" | "live" | "closed";
  /** The position from which the server let the subscription go on, last time it was asked; `undefined` before. */
  readonly position: Position | undefined;
  /** After a reconnect: whether everything missed came. `undefined` after the first subscribe. */
  readonly recovered: boolean | undefined;
  /** Why the server ended or refused it. */
  readonly error: TidewireError | undefined;
}

/** One subscription of a page. Equal ones share one on the wire; each is closed by itself. */
export interface Subscription<Past = unknown, Publish = never> extends Disposable {
  /** The topic's name. */
  readonly topic: string;
  /** Where it stands, to be read and watched. */
  readonly status: Store<SubscriptionStatus>;
  /**
   * Resolves with the position from which events come, once the server has taken the subscription; rejects with a
   * {@link TidewireError} if it refuses. A refusal goes to the connection's `onError` if neither this nor
   * {@link status} is asked for and no stream is read.
   */
  readonly ready: Promise<Position>;
  /** Publishes to the topic; see {@link Live.publish}. */
  publish(data: Publish, options?: PublishOptions): Promise<Position>;
  /** Reads events of the topic's past; see {@link Live.history}. */
  history(options?: HistoryOptions): Promise<History<Past>>;
  /**
   * Changes what the user is shown as in the topic's presence, now and after every reconnect. Resolves once the server has taken it; waits
   * as long as that takes unless `options` say otherwise.
   *
   * @throws TidewireError (as a rejection) `forbidden` if no subscription made the user a member, or the server's reason.
   */
  setWish(wish: unknown, options?: RequestOptions): Promise<void>;
  /** Ends the subscription: its handler is not called again, its stream ends. */
  close(): void;
}

/**
 * A subscription that is read with `for await`. Events are kept from the call of `subscribe` on, in order; leaving the
 * loop closes the subscription. It has one reader.
 *
 * A loop that falls behind by more than {@link SubscribeOptions.buffer} events gets what waited and then the error
 * `limit`; the subscription is closed.
 */
export interface EventStream<Event, Publish = never, Past = Event> extends Subscription<Past, Publish>, AsyncIterable<Event> {}
