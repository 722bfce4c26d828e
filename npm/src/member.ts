// The connection's side of a subscription: its handler or its stream, its status and its promises.

import { ErrorCode } from "./codes.js";
import { dispose } from "./dispose.js";
import { type ErrorSink, TidewireError } from "./errors.js";
import { Queue } from "./queue.js";
import { Cell, type Store } from "./store.js";
import type {
  EventFrame,
  EventHandler,
  EventStream,
  Gap,
  Position,
  SubscribeOptions,
  SubscriptionStatus,
} from "./subscription.js";

/** What a subscription needs of its connection. */
export interface Home {
  readonly onError: ErrorSink;
  leave(subscription: Member): void;
  publish(topic: string, data: unknown): Promise<Position>;
  /** Calls listeners when no core call is under way. */
  notify(listeners: readonly (() => void)[]): void;
}

const initialStatus: SubscriptionStatus = {
  state: "subscribing",
  position: undefined,
  recovered: undefined,
  error: undefined,
};

const closed = () => new TidewireError(ErrorCode.closed, "the subscription was closed");

/** A {@link Subscription}, and where the driver delivers. */
export class Member implements EventStream<unknown, unknown> {
  readonly topic: string;
  /** The core's number of the topic; 0 before it has one. */
  number = 0;
  /** Whether the page would hear of a refusal. */
  watched = false;
  readonly #home: Home;
  readonly #onGap: SubscribeOptions["onGap"];
  readonly #handler: EventHandler<unknown>;
  readonly #stream: Queue<unknown> | undefined;
  readonly #status = new Cell<SubscriptionStatus>(initialStatus);
  #ready: Promise<Position> | undefined;
  #settle: { resolve(position: Position): void; reject(error: TidewireError): void } | undefined;

  constructor(home: Home, topic: string, handler: EventHandler<unknown> | undefined, options: SubscribeOptions = {}) {
    this.#home = home;
    this.topic = topic;
    this.#onGap = options.onGap;
    if (handler) {
      this.#handler = handler;
      return;
    }
    const buffer = options.buffer ?? 256;
    const stream = new Queue(buffer, () => this.close());
    this.watched = true;
    this.#stream = stream;
    this.#handler = (event, { offset }) => {
      if (stream.push(event)) return;
      const text = `the loop over ${topic} fell ${buffer} events behind: all from offset ${offset} on are lost`;
      this.#leave(new TidewireError(ErrorCode.limit, text));
    };
  }

  get status(): Store<SubscriptionStatus> {
    this.watched = true;
    return this.#status;
  }

  get state(): SubscriptionStatus["state"] {
    return this.#status.getSnapshot().state;
  }

  get ready(): Promise<Position> {
    this.watched = true;
    this.#ready ??= new Promise((resolve, reject) => {
      const { state, position, error } = this.#status.getSnapshot();
      if (state === "closed") reject(error ?? closed());
      else if (position) resolve(position);
      else this.#settle = { resolve, reject };
    });
    return this.#ready;
  }

  publish(data: unknown): Promise<Position> {
    return this.#home.publish(this.topic, data);
  }

  close(): void {
    this.#leave(undefined);
  }

  [dispose](): void {
    this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    if (!this.#stream) throw new TypeError("a subscription with a handler is no stream");
    return this.#stream;
  }

  /** An event of the topic. */
  deliver(event: unknown, frame: EventFrame): void {
    if (this.state === "closed") return;
    try {
      this.#handler(event, frame);
    } catch (error) {
      this.#home.onError(error);
    }
  }

  /** Events that will not come. */
  gap(gap: Gap): void {
    if (this.#onGap && this.state !== "closed") this.#home.notify([() => this.#onGap?.(gap)]);
  }

  /** The server sends the topic's events from this position on. */
  attach(position: Position, recovered: boolean | undefined): void {
    // Said again because another subscription of the topic began.
    if (this.state === "live" && recovered === undefined) return;
    this.#set({ state: "live", position, recovered, error: undefined });
    this.#settle?.resolve(position);
    this.#settle = undefined;
  }

  /** The connection is lost, or the server refuses for now. */
  detach(error?: TidewireError): void {
    if (this.state === "live" || error) this.#set({ ...this.#status.getSnapshot(), state: "subscribing", error });
  }

  /** It is over. */
  end(error: TidewireError | undefined): void {
    if (this.state === "closed") return;
    this.#set({ ...this.#status.getSnapshot(), state: "closed", error });
    this.#settle?.reject(error ?? closed());
    this.#settle = undefined;
    // A loop over a closed connection is over; it has not failed.
    this.#stream?.end(error?.code === ErrorCode.closed ? undefined : error);
  }

  #leave(error: TidewireError | undefined): void {
    if (this.state === "closed") return;
    this.end(error);
    this.#home.leave(this);
  }

  #set(status: SubscriptionStatus): void {
    this.#home.notify(this.#status.set(status));
  }
}
