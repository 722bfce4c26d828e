/// <reference lib="esnext.disposable" preserve="true" />
// What a page holds of a connection.

import type { ConnectionStore } from "./connection-state.js";
import type { History, HistoryOptions } from "./history.js";
import type {
  ArgsOf,
  CallOf,
  ChangeOf,
  EventOf,
  PresenceOption,
  PublishOf,
  PublishTopicOf,
  ReplyOf,
  SnapshotOf,
  StateOf,
  TopicOf,
} from "./schema.js";
import type { StateOptions, StateSubscription } from "./state.js";
import type {
  EventHandler,
  EventStream,
  Position,
  PublishOptions,
  RequestOptions,
  SubscribeOptions,
  Subscription,
} from "./subscription.js";

/** Takes the data of what comes by a name, whatever it is. What it throws is reported and harms nothing else. */
export type MessageHandler = (data: unknown) => void;

declare const calls: unique symbol;

/** A connection that mends itself, with the types of a schema's topics and calls. */
export interface Live<Topics, Calls = {}> extends Disposable {
  /** The state of the connection, to be read and watched. */
  readonly connection: ConnectionStore;
  /** Exists for the compiler only, which would else take a connection without calls for one with them. */
  readonly [calls]?: Calls;

  // These two are first: a compiler that tried others before would have given the parameters of `reduced`'s functions their types.
  /**
   * Subscribes to a topic and keeps its state: snapshot, what was missed and events as one value, in a store. It is `items()`, the
   * list or the map of the topic's events, or what `reduced(…)` makes of them.
   */
  subscribe<const Topic extends TopicOf<Topics>, State = StateOf<Topics, Topic>>(
    topic: Topic,
    options: StateOptions<ChangeOf<Topics, Topic>, SnapshotOf<Topics, Topic>, State> & PresenceOption<Topics, Topic>,
  ): StateSubscription<State, EventOf<Topics, Topic>, PublishOf<Topics, Topic>, ChangeOf<Topics, Topic>>;

  /** Subscribes to a topic, keeps its state, and calls `handler` with each event too, once the state has it. */
  subscribe<const Topic extends TopicOf<Topics>, State = StateOf<Topics, Topic>>(
    topic: Topic,
    handler: EventHandler<EventOf<Topics, Topic>>,
    options: StateOptions<ChangeOf<Topics, Topic>, SnapshotOf<Topics, Topic>, State> & PresenceOption<Topics, Topic>,
  ): StateSubscription<State, EventOf<Topics, Topic>, PublishOf<Topics, Topic>, ChangeOf<Topics, Topic>>;

  /**
   * Subscribes to a topic: `handler` gets its events in order. After a lost connection the subscription goes on where it
   * was: what was missed comes first, and where the server no longer has it {@link SubscribeOptions.onGap} says so.
   */
  subscribe<const Topic extends TopicOf<Topics>>(
    topic: Topic,
    handler: EventHandler<EventOf<Topics, Topic>>,
    options?: SubscribeOptions & PresenceOption<Topics, Topic>,
  ): Subscription<ChangeOf<Topics, Topic>, PublishOf<Topics, Topic>>;

  /** Subscribes to a topic whose events a loop reads: `for await (const event of live.subscribe("prices"))`. */
  subscribe<const Topic extends TopicOf<Topics>>(
    topic: Topic,
    options?: SubscribeOptions & PresenceOption<Topics, Topic>,
  ): EventStream<EventOf<Topics, Topic>, PublishOf<Topics, Topic>, ChangeOf<Topics, Topic>>;

  /**
   * Publishes to a topic. Resolves once the server has appended the event, with its position; the event itself comes to
   * subscribers before or after that. Without a connection up to 1,000 publishes and calls wait for the next, in order.
   *
   * If the connection ends before the answer came, the publish is sent again with the next, and appended once. That needs the
   * topic's epoch, so it is done for topics that the page subscribes.
   *
   * @throws TidewireError (as a rejection) with the server's reason; `unknown` if the connection ended before the answer
   * came and it could not be sent again, so that it may have been done; `not_sent` if the connection ended for good;
   * `offline_queue_full`; `closed`; `cancelled`.
   */
  publish<const Topic extends PublishTopicOf<Topics>>(
    topic: Topic,
    data: PublishOf<Topics, Topic>,
    options?: PublishOptions,
  ): Promise<Position>;

  /**
   * Reads events that the topic's history holds, subscribed or not, with the rights of a subscription. It is asked again after a lost
   * connection.
   *
   * @throws TidewireError (as a rejection) with the server's reason, `timeout`, `not_sent`, `closed` or `cancelled`.
   */
  history<const Topic extends TopicOf<Topics>>(topic: Topic, options?: HistoryOptions): Promise<History<ChangeOf<Topics, Topic>>>;

  /**
   * Calls the server, which does it at most once.
   *
   * @throws TidewireError (as a rejection) with the server's reason; `timeout`; `not_sent` if it never left, so that it was not done;
   * `unknown` if the connection ended before the answer came, so that it may have been done; `cancelled`; `closed`.
   */
  call<const Call extends CallOf<Calls>>(
    call: Call,
    args: ArgsOf<Calls, Call>,
    options?: RequestOptions,
  ): Promise<ReplyOf<Calls, Call>>;

  /**
   * Calls `handler` with the data of everything that the server sends by this name, until the returned function is called:
   * messages to this session, and events of topics that the page or the server subscribed.
   */
  on(topic: string, handler: MessageHandler): () => void;

  /**
   * Sends a message of no typed topic to the server's `on_message`. Resolves once the server has taken it; waits and
   * rejects as {@link publish} does, but is never sent again.
   */
  send(topic: string, data: unknown, options?: PublishOptions): Promise<void>;

  /** Ends everything: subscriptions and streams end, what waits for an answer is rejected with `closed`. */
  close(): void;
}
