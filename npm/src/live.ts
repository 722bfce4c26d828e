/// <reference lib="esnext.disposable" preserve="true" />
// What a page holds of a connection.

import type { ConnectionState } from "./connection-state.js";
import type { EventOf, PublishOf, PublishTopicOf, TopicOf } from "./schema.js";
import type { Store } from "./store.js";
import type { EventHandler, EventStream, Position, SubscribeOptions, Subscription } from "./subscription.js";

/** Takes the data of what comes by a name, whatever it is. What it throws is reported and harms nothing else. */
export type MessageHandler = (data: unknown) => void;

/** A connection that mends itself, with the types of a schema's topics. */
export interface Live<Topics> extends Disposable {
  /** The state of the connection, to be read and watched. */
  readonly connection: Store<ConnectionState>;

  /**
   * Subscribes to a topic: `handler` gets its events in order. After a lost connection the subscription goes on where it
   * was: what was missed comes first, and where the server no longer has it {@link SubscribeOptions.onGap} says so.
   */
  subscribe<const Topic extends TopicOf<Topics>>(
    topic: Topic,
    handler: EventHandler<EventOf<Topics, Topic>>,
    options?: SubscribeOptions,
  ): Subscription<PublishOf<Topics, Topic>>;

  /** Subscribes to a topic whose events a loop reads: `for await (const event of live.subscribe("prices"))`. */
  subscribe<const Topic extends TopicOf<Topics>>(
    topic: Topic,
    options?: SubscribeOptions,
  ): EventStream<EventOf<Topics, Topic>, PublishOf<Topics, Topic>>;

  /**
   * Publishes to a topic. Resolves once the server has appended the event, with its position; the event itself comes to
   * subscribers before or after that. Without a connection up to 1,000 publishes wait for the next.
   *
   * @throws TidewireError (as a rejection) with the server's reason; `unknown` if the connection ended before the answer
   * came, so that it may have been done: it is not sent again by itself.
   */
  publish<const Topic extends PublishTopicOf<Topics>>(topic: Topic, data: PublishOf<Topics, Topic>): Promise<Position>;

  /**
   * Calls `handler` with the data of everything that the server sends by this name, until the returned function is called:
   * messages to this session, and events of topics that the page or the server subscribed.
   */
  on(topic: string, handler: MessageHandler): () => void;

  /**
   * Sends a message of no typed topic to the server's `on_message`. Resolves once the server has taken it; waits and
   * rejects as {@link publish} does.
   */
  send(topic: string, data: unknown): Promise<void>;

  /** Ends everything: subscriptions and streams end, what waits for an answer is rejected with `closed`. */
  close(): void;
}
