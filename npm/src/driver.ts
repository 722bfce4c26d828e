// Between the core, which decides everything, and the socket, the timer and the page's code.
//
// Invariant: no code of the page runs within a call of the core or while its outputs are carried out.

import { alarm } from "./alarm.js";
import { ErrorCode } from "./codes.js";
import { type ConnectionState, greeting, initialState, stateOf } from "./connection-state.js";
import { type Core, type CoreSource, Export, Flag, Op } from "./core.js";
import { type ErrorSink, errorOf, TidewireError } from "./errors.js";
import { frameText, pongFrame, requestText } from "./frames.js";
import { hex } from "./hex.js";
import type { HistoryOptions } from "./history.js";
import { type Link, link, NORMAL, type TokenSource } from "./link.js";
import type { Home, Member } from "./member.js";
import { Names } from "./names.js";
import { notices } from "./notices.js";
import { watchPage } from "./page.js";
import type { Request } from "./requests.js";
import type { Schema } from "./schema.js";
import type { Dial } from "./socket.js";
import { Cell } from "./store.js";
import type { Gap, Position, PublishOptions, RequestOptions } from "./subscription.js";
import { type DataFrame, Topics } from "./topics.js";
import { emptyTuple, Kind, parseFrame, type RawFrame, readFrame } from "./tuple.js";

/** What a driver is made of. */
export interface DriverOptions {
  readonly token: TokenSource;
  readonly onError: ErrorSink;
  /** The hashes of the schema's entries. */
  readonly entries: Schema<unknown>["entries"];
}

/** One client: its core, and all that hangs on it. */
export class Driver implements Home {
  readonly connection = new Cell<ConnectionState>(initialState);
  readonly topics: Topics;
  /** Takes the items of each call that streams, by its number, and the link on which they come. Runs no code of the page. */
  readonly takers = new Map<unknown, (item: unknown, link: Link | undefined) => void>();
  readonly report: ErrorSink;
  readonly #options: DriverOptions;
  /** 128 random bits, kept over reconnects. */
  readonly #client = hex(crypto.getRandomValues(new Uint8Array(16)));
  readonly #epochs = new Names();
  /** By topic: the version of the snapshot that came with its events, if it has one. */
  readonly #versions: unknown[] = [];
  /** What the page has asked, until its outcome, by the core's number. */
  readonly #requests = new Map<number, Request>();
  readonly #notices = notices((error) => this.report(error));
  readonly #tuple = emptyTuple();
  readonly #alarm = alarm(() => this.#turn((core, now) => core[Export.Elapsed](now)));
  #core: Core | undefined;
  /** One is used, but for a move. */
  #links: readonly Link[] = [];
  /** The number of the link that outputs are for. */
  #at = 0;
  /** How many publishes were named. */
  #mids = 0;
  #unwatch = () => {};
  /** Calls that wait for the core. */
  #early: { run: (core: Core, now: number) => void; fail: (error: TidewireError) => void }[] = [];
  /** Why nothing works any more. */
  #end: TidewireError | undefined;
  /** The frame whose outputs are carried out. */
  #frame: RawFrame | undefined;
  /** How the last connection ended. */
  #last = { code: 0, reason: "" };

  constructor(options: DriverOptions) {
    this.#options = options;
    const pass = (error: unknown) => {
      try {
        options.onError(error);
      } catch (own) {
        console.error(own);
      }
    };
    this.report = (error) => this.notify([() => pass(error)]);
    this.topics = new Topics(this.report);
  }

  /** Loads the core and connects; calls made before it is there follow in order. Without it all calls wait. */
  async begin(newCore: CoreSource, dial: Dial): Promise<void> {
    const { token } = this.#options;
    this.#links = [0, 1].map((number) =>
      link(dial, token, this.report, {
        opened: () => this.#turn((core, now) => core[Export.Opened](number, now)),
        heard: (data) => this.#message(number, data),
        ended: (code, reason) => {
          this.#last = { code, reason };
          this.#turn((core, now) => core[Export.Closed](number, code, now));
        },
      }),
    );
    try {
      const core = await newCore();
      if (this.#end) return core[Export.Free]();
      this.#core = core;
    } catch (error) {
      return this.#fail(error);
    }
    this.#unwatch = watchPage(() => this.#turn((core, now) => core[Export.Wake](now)));
    const early = this.#early.splice(0);
    this.#turn((core, now) => {
      core[Export.Connect](now);
      for (const call of early) call.run(core, now);
    });
  }

  /** Nothing will ever be connected: all calls fail with this. */
  refuse(error: TidewireError): void {
    this.#end = error;
    this.#set({ error });
  }

  /** Tries to connect now, unless a connection stands or is being tried. */
  retry(): void {
    this.#turn((core, now) => {
      core[Export.Connect](now);
      core[Export.Wake](now);
    });
  }

  enter(member: Member): void {
    this.#call(
      (core, now) => core[Export.Subscribe](this.topics.enter(member), now),
      (error) => {
        member.end(error);
        // Where there is no page. Whoever subscribed has had no time yet to ask for it.
        queueMicrotask(() => {
          if (!member.watched && this.connection.getSnapshot().state === "idle") this.report(error);
        });
      },
    );
  }

  leave(member: Member): void {
    this.#call(
      (core, now) => {
        this.topics.leave(member);
        core[Export.Unsubscribe](member.number, now);
      },
      () => {},
    );
  }

  mid(): string {
    return `${this.#client}-${++this.#mids}`;
  }

  publish(topic: string, data: unknown, { signal, mid = this.mid() }: PublishOptions & { mid?: string } = {}): Promise<Position> {
    return this.ask(topic, data, signal, (core, now) => core[Export.Publish](this.topics.names.numberOf(topic), now), mid);
  }

  /** Sends a message of no typed topic: at most once, for the server knows no `mid` of it. */
  async send(topic: string, data: unknown, { signal }: PublishOptions = {}): Promise<void> {
    await this.ask(topic, data, signal, (core, now) => core[Export.Publish](0, now));
  }

  call(call: string, args: unknown, { timeout = TIMEOUT_MS, signal }: RequestOptions = {}): Promise<unknown> {
    const data = { call, args, timeout_ms: timeout < Infinity ? Math.ceil(timeout) : undefined };
    return this.ask("$call", data, signal, (core, now) => core[Export.Request](1, timeout, now));
  }

  read(topic: string, data: unknown, { timeout = Infinity, signal }: RequestOptions = {}): Promise<unknown> {
    return this.ask(topic, data, signal, (core, now) => core[Export.Request](0, timeout, now));
  }

  history(topic: string, { timeout = TIMEOUT_MS, signal, ...range }: HistoryOptions = {}): Promise<unknown> {
    return this.read("$history", { topic, ...range }, { timeout, signal });
  }

  notify(listeners: readonly (() => void)[]): void {
    this.#notices.push(listeners);
    // At the latest: who calls the core does it when that is left.
    queueMicrotask(() => this.#notices.flush());
  }

  close(): void {
    this.#turn((core, now) => core[Export.Close](now));
    this.#finish(new TidewireError(ErrorCode.closed), undefined);
  }

  /** Asks the server, once `begin` has a number for it from the core. */
  ask<Answer>(
    topic: string,
    data: unknown,
    signal: AbortSignal | undefined,
    begin: (core: Core, now: number) => number,
    mid?: string,
  ): Promise<Answer> {
    let abort = () => {};
    const answer = new Promise<Answer>((resolve, reject) => {
      const json = JSON.stringify(data) ?? "null";
      let id = 0;
      abort = () => {
        reject(new TidewireError(ErrorCode.cancelled, undefined, { cause: signal?.reason }));
        this.#turn((core, now) => core[Export.Cancel](id, now));
      };
      if (signal?.aborted) return abort();
      this.#call((core, now) => {
        if (signal?.aborted) return;
        id = begin(core, now) >>> 0;
        this.#requests.set(id, { topic, json, mid, fulfil: resolve as (answer: unknown) => void, reject });
      }, reject);
    });
    const settled = () => signal?.removeEventListener("abort", abort);
    signal?.addEventListener("abort", abort);
    answer.then(settled, settled);
    return answer;
  }

  #call(run: (core: Core, now: number) => void, fail: (error: TidewireError) => void): void {
    if (this.#end) fail(this.#end);
    else if (this.#core) return this.#turn(run);
    else this.#early.push({ run, fail });
    this.#notices.flush();
  }

  /** One call of the core and all that follows from it. */
  #turn(run: (core: Core, now: number) => void): void {
    const core = this.#core;
    if (!core) return;
    try {
      run(core, Date.now());
      this.#carryOut(core);
    } catch (error) {
      this.#fail(error);
    }
    this.#notices.flush();
  }

  /** The hot path: for an event that simply follows it is one call of the core, and nothing is allocated here. */
  #message(link: number, text: unknown): void {
    const core = this.#core;
    if (!core) return;
    const frame = parseFrame(text);
    const tuple = this.#tuple;
    readFrame(frame, this.topics.names, this.#epochs, tuple);
    // Kept, because code of the page may run before the event is delivered.
    const { kind, topic } = tuple;
    const members = this.topics.membersOf(kind === Kind.Event ? topic : 0);
    const now = Date.now();
    let flags = 0;
    try {
      if (kind === Kind.Event) {
        flags = core[Export.Event](link, topic, tuple.offset, tuple.prev, now);
      } else {
        const { re, epoch, offset, prev, to, code, ms } = tuple;
        flags = core[Export.Frame](link, kind, re, topic, epoch, offset, prev, to, code, ms, tuple.flags, now);
      }
      // Also where there is nothing to poll: an event that is not delivered may have set an earlier timer.
      if (flags !== Flag.Deliver) {
        this.#frame = frame;
        this.#carryOut(core);
        this.#frame = undefined;
        this.#notices.flush();
      }
    } catch (error) {
      this.#fail(error);
    }
    if (kind === Kind.Item) this.takers.get(frame.re)?.(frame.data, this.#links[link]);
    if (!(flags & Flag.Deliver)) return;
    if (kind === Kind.Error) this.report(errorOf(frame.data));
    else this.topics.deliver(members, frame as unknown as DataFrame);
    this.#notices.flush();
  }

  #carryOut(core: Core): void {
    for (let op = core[Export.Poll](); op !== Op.None; op = core[Export.Poll]()) this.#output(op, core);
    this.#alarm.set(core[Export.Timeout]());
  }

  /** Carries out one output of the core. */
  #output(op: Op, core: Core): void {
    const a = core[Export.Arg](0);
    const b = core[Export.Arg](1);
    const c = core[Export.Arg](2);
    switch (op) {
      case Op.State:
        return this.#state(a, b, c);
      case Op.Open:
        return this.#link?.open();
      case Op.Shut:
        return this.#link?.shut(a);
      case Op.Hello: {
        const data = { version: VERSION, client: this.#client, token: this.#link?.token(), schema: this.#options.entries };
        return this.#request("$hello", a, data);
      }
      case Op.Subscribe:
        return this.#subscribe(a, b, c > 0 ? this.#position(c, core[Export.Arg](3)) : undefined);
      case Op.Unsubscribe:
        return this.#request("$unsubscribe", a, { topic: this.topics.names.textOf(b) });
      case Op.Publish:
      case Op.Request:
        return this.#link?.send(frameText(a, this.#requests.get(a) as Request, this.#epochs.textOf(b) || undefined, c));
      case Op.Cancel:
        return this.#request("$cancel", undefined, { id: a });
      case Op.Ping:
        return this.#request("$ping", a);
      case Op.Pong:
        return this.#link?.send(pongFrame);
      case Op.Acked:
        return this.#outcome(a)?.fulfil(this.#position(b, c));
      case Op.Replied:
        return this.#outcome(a)?.fulfil(this.#frame?.data);
      case Op.Rejected:
        return this.#outcome(a)?.reject(this.#refusal(b));
      case Op.Token:
        return this.#link?.renew(a);
      case Op.Link:
        this.#at = a;
        return;
      case Op.Subscribed: {
        const position = this.#position(c, core[Export.Arg](3));
        // Of the snapshot that the page has from now on.
        if (b !== 1 && this.#frame) this.#versions[a] = (this.#frame.data as { version?: unknown } | null)?.version;
        for (const member of this.topics.membersOf(a)) member.attach(position, recovered[b], this.#frame);
        return;
      }
      case Op.Refused:
        return this.#refused(this.topics.membersOf(a), this.#refusal(b), c > 0);
      case Op.Gap: {
        const cause = causes[b - 1] ?? "lost";
        for (const member of this.topics.membersOf(a)) member.miss({ after: c, to: core[Export.Arg](3), cause });
        return;
      }
      case Op.Malformed:
        return this.report(new TidewireError(ErrorCode.malformed, `${a} of the server's messages were no frames`));
      case Op.ReleaseTopic:
        return this.topics.release(a);
      case Op.ReleaseEpoch:
        return this.#epochs.release(a);
    }
  }

  #refused(members: readonly Member[], error: TidewireError, isAskedAgain: boolean): void {
    for (const member of members) {
      if (isAskedAgain) member.detach(error);
      else member.end(error);
    }
    if (!isAskedAgain && !members.some((member) => member.watched)) this.report(error);
  }

  get #link(): Link | undefined {
    return this.#links[this.#at];
  }

  /** Takes a request, which has its outcome. */
  #outcome(id: number): Request | undefined {
    const request = this.#requests.get(id);
    this.#requests.delete(id);
    return request;
  }

  #request(topic: string, id: number | undefined, data?: Readonly<Record<string, unknown>>): void {
    this.#link?.send(requestText(topic, id, data));
  }

  /** One `$subscribe` for all subscriptions of the topic. */
  #subscribe(id: number, number: number, since: Position | undefined): void {
    let snapshot: true | undefined;
    let presence: unknown;
    for (const member of this.topics.membersOf(number)) {
      member.asked = id;
      if (member.state) snapshot = true;
      if (member.wish !== undefined) presence = member.wish;
    }
    this.#request("$subscribe", id, { topic: this.topics.names.textOf(number), since, version: since && this.#versions[number], snapshot, presence });
  }

  #state(number: number, code: number, retryAt: number): void {
    const state = stateOf(number);
    this.#set({
      state,
      retryAt: retryAt || undefined,
      ...(code > 0 && { code, reason: this.#last.reason }),
      // Not of a hello that is none, for which the connection was given up.
      ...(state === "connected" && this.#frame?.topic === "$hello" && greeting(this.#frame.data)),
    });
    if (state !== "connected") for (const member of this.topics.everyone()) member.detach();
  }

  #set(change: Partial<ConnectionState>): void {
    this.notify(this.connection.put({ ...this.connection.getSnapshot(), ...change }));
  }

  #position(epoch: number, offset: number): Position {
    return { epoch: this.#epochs.textOf(epoch), offset };
  }

  /** An error with this code; the server's own words where it has just sent them. */
  #refusal(code: number): TidewireError {
    const said = this.#frame?.topic === "$error" ? errorOf(this.#frame.data) : undefined;
    if (said?.code === code) return said;
    const error = new TidewireError(code);
    const { code: last, reason } = this.#last;
    if (code === ErrorCode.not_sent && last) error.message += `; the last one ended with ${last}${reason && ` (${reason})`}`;
    return error;
  }

  /** Something is broken that no reconnect mends. */
  #fail(cause: unknown): void {
    if (this.#end) return;
    const error =
      cause instanceof TidewireError ? cause : new TidewireError(ErrorCode.internal, "the client failed", { cause });
    this.report(error);
    // Not freed: what failed may be the core itself.
    this.#core = undefined;
    this.#finish(error, error);
  }

  /** Ends everything that waits. */
  #finish(end: TidewireError, error: TidewireError | undefined): void {
    if (this.#end) return;
    this.#end = end;
    this.#alarm.clear();
    this.#unwatch();
    for (const link of this.#links) link.shut(NORMAL);
    for (const call of this.#early.splice(0)) call.fail(end);
    for (const id of this.#requests.keys()) this.#outcome(id)?.reject(end);
    for (const member of this.topics.everyone()) member.end(end);
    // The core may have said so already.
    if (error || this.connection.getSnapshot().state !== "closed") this.#set({ state: "closed", retryAt: undefined, error });
    this.#core?.[Export.Free]();
    this.#core = undefined;
    this.#notices.flush();
  }
}

/** The version of the protocol. */
const VERSION = 1;

/** How long a call or a range of history may take. */
const TIMEOUT_MS = 30_000;

/** By the core's number: fresh, recovered, lost. */
const recovered = [undefined, true, false];

/** By the core's number, from 1. */
const causes: readonly Gap["cause"][] = ["dropped", "conflated", "lost", "new_epoch"];
