// The connection's side of a subscription: its handler or its stream, its status and its promises.

import { ErrorCode } from "./codes.js";
import { dispose } from "./dispose.js";
import { type ErrorSink, TidewireError } from "./errors.js";
import type { History, HistoryOptions } from "./history.js";
import type { Keeper, Keeping } from "./keeper.js";
import { Queue } from "./queue.js";
import type { EchoOptions } from "./state.js";
import { Cell, type Store } from "./store.js";
import type {
  EventFrame,
  EventHandler,
  EventStream,
  Gap,
  Position,
  PublishOptions,
  RequestOptions,
  SubscribeOptions,
  SubscriptionStatus,
} from "./subscription.js";
import type { RawFrame } from "./tuple.js";

/** What a subscription needs of its connection. */
export interface Home {
  readonly report: ErrorSink;
  leave(subscription: Member): void;
  /** A name for a publish. */
  mid(): string;
  publish(topic: string, data: unknown, options: PublishOptions & { mid: string }): Promise<Position>;
  history(topic: string, options: HistoryOptions | undefined): Promise<unknown>;
  /** Asks for what changes nothing, however often it is asked. */
  read(topic: string, data: unknown, options?: RequestOptions): Promise<unknown>;
  /** Calls listeners when no core call is under way. */
  notify(listeners: readonly (() => void)[]): void;
}

/** What `subscribe` takes, as far as it is known here. */
export type MemberOptions = Omit<SubscribeOptions, "state"> & { readonly state?: Keeping | undefined };

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
  /** The topic's state, where the page wants it. */
  readonly state: Keeper | undefined;
  /** The core's number of the topic; 0 before it has one. */
  number = 0;
  /** Whether the page would hear of a refusal. */
  watched = false;
  /** What the page wants to be shown as in the topic's presence; `undefined` for nothing. */
  wish: unknown;
  /** The number of the last `$subscribe` that was for this one too; 0 before there was one. */
  asked = 0;
  readonly #home: Home;
  readonly #options: MemberOptions;
  readonly #handler: EventHandler<unknown> | undefined;
  readonly #stream: Queue<unknown> | undefined;
  readonly #status = new Cell<SubscriptionStatus>(initialStatus);
  #ready: Promise<Position> | undefined;
  #settle: { fulfil(position: Position): void; reject(error: TidewireError): void } | undefined;

  readonly #abort = () => this.close();

  constructor(home: Home, topic: string, handler: EventHandler<unknown> | undefined, options: MemberOptions = {}) {
    this.#home = home;
    this.topic = topic;
    this.#options = options;
    this.wish = options.presence ?? undefined;
    this.#handler = handler;
    this.state = options.state?.(this, home);
    options.signal?.addEventListener("abort", this.#abort);
    if (handler || this.state) return;
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

  get ready(): Promise<Position> {
    this.watched = true;
    this.#ready ??= new Promise((resolve, reject) => {
      const { state, position, error } = this.#status.getSnapshot();
      if (state === "closed") reject(error ?? closed());
      else if (position) resolve(position);
      else this.#settle = { fulfil: resolve, reject };
    });
    return this.#ready;
  }

  publish(data: unknown, { echo, key, signal }: EchoOptions<unknown> = {}): Promise<Position> {
    const mid = this.#home.mid();
    const sent = this.#home.publish(this.topic, data, { signal, mid });
    if (echo !== undefined) this.state?.echo({ event: echo, key, mid }, sent);
    return sent;
  }

  history(options?: HistoryOptions): Promise<History<unknown>> {
    return this.#home.history(this.topic, options) as Promise<History<unknown>>;
  }

  async setWish(wish: unknown, options?: RequestOptions): Promise<void> {
    this.wish = wish;
    await this.#home.read(`$presence:${this.topic}`, wish, options);
  }

  close(): void {
    this.#leave(undefined);
  }

  [dispose](): void {
    this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    if (!this.#stream) throw new TypeError("a subscription with a handler or a state is no stream");
    return this.#stream;
  }

  get isClosed(): boolean {
    return this.#status.getSnapshot().state === "closed";
  }

  /** Asks for a snapshot beside the stream of events, and for what the page wants to be shown as. */
  ask(signal?: AbortSignal): Promise<unknown> {
    const { topic, wish } = this;
    this.asked ||= -1;
    return this.#home.read("$subscribe", { topic, snapshot: true, beside: true, presence: wish }, { signal });
  }

  /** An event of the topic. */
  deliver(event: unknown, frame: EventFrame): void {
    if (this.isClosed) return;
    try {
      this.state?.deliver(event, frame);
      if (frame.removed) this.#options.onRemoved?.(frame.key as string, frame);
      else this.#handler?.(event, frame);
    } catch (error) {
      this.#home.report(error);
    }
  }

  /** Events that will not come. */
  miss(gap: Gap): void {
    if (this.isClosed) return;
    this.state?.miss(gap);
    this.#home.notify([() => this.#options.onGap?.(gap)]);
  }

  /** The server sends the topic's events from this position on; `frame` said so, if one did. */
  attach(position: Position, recovered: boolean | undefined, frame: RawFrame | undefined): void {
    if (this.isClosed) return;
    const asks = this.state?.attach(position, recovered, frame?.re === this.asked ? frame.data : undefined);
    if (!this.asked && !asks && this.wish !== undefined) {
      this.#home.notify([() => this.isClosed || this.ask().catch(this.#home.report)]);
    }
    // Said again because another subscription of the topic began.
    if (this.#status.getSnapshot().state === "live" && recovered === undefined) return;
    this.#set({ state: "live", position, recovered, error: undefined });
    this.#settle?.fulfil(position);
    this.#settle = undefined;
  }

  /** The connection is lost, or the server refuses for now. */
  detach(error?: TidewireError): void {
    const status = this.#status.getSnapshot();
    if (status.state === "live" || error) this.#set({ ...status, state: "subscribing", error });
  }

  /** It is over. */
  end(error: TidewireError | undefined): void {
    if (this.isClosed) return;
    this.#set({ ...this.#status.getSnapshot(), state: "closed", error });
    this.#settle?.reject(error ?? closed());
    this.#settle = undefined;
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.state?.end();
    // A loop over a closed connection is over; it has not failed.
    this.#stream?.end(error?.code === ErrorCode.closed ? undefined : error);
  }

  #leave(error: TidewireError | undefined): void {
    if (this.isClosed) return;
    this.end(error);
    this.#home.leave(this);
  }

  #set(status: SubscriptionStatus): void {
    this.#home.notify(this.#status.put(status));
  }
}
