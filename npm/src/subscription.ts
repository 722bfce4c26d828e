/// <reference lib="esnext.disposable" preserve="true" />
// What a page holds of a topic.

import type { TidewireError } from "./errors.js";
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

/** Options of a subscription. */
export interface SubscribeOptions {
  /** Called when events are missing for good, before the next event. Default: nothing is called. */
  readonly onGap?: ((gap: Gap) => void) | undefined;
  /**
   * For streams: how many events wait for the loop that reads them. One more ends the stream with the error `limit`
   * after those that waited. Default: 256, the server's own queue for a session.
   */
  readonly buffer?: number | undefined;
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
export interface Subscription<Publish = never> extends Disposable {
  /** The topic's name. */
  readonly topic: string;
  /** The present state: short for `status.getSnapshot().state`. */
  readonly state: SubscriptionStatus["state"];
  /** The state with its details, to be read and watched. */
  readonly status: Store<SubscriptionStatus>;
  /**
   * Resolves with the position from which events come, once the server has taken the subscription; rejects with a
   * {@link TidewireError} if it refuses. A refusal goes to the connection's `onError` if neither this nor
   * {@link status} is asked for and no stream is read.
   */
  readonly ready: Promise<Position>;
  /** Publishes to the topic; see {@link Live.publish}. */
  publish(data: Publish): Promise<Position>;
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
export interface EventStream<Event, Publish = never> extends Subscription<Publish>, AsyncIterable<Event> {}
