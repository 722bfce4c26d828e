// Between the core, which decides everything, and the socket, the timer and the page's code.
//
// Invariant: no code of the page runs within a call of the core or while its outputs are carried out.

import { Alarm } from "./alarm.js";
import { ErrorCode } from "./codes.js";
import { type ConnectionState, greeting, initialState, stateOf } from "./connection-state.js";
import { type Core, Flag, newCore, Op } from "./core.js";
import { type ErrorSink, errorOf, TidewireError } from "./errors.js";
import { helloFrame, pongFrame, subscribeFrame, unsubscribeFrame } from "./frames.js";
import { Link, NORMAL, type TokenSource } from "./link.js";
import type { Home, Member } from "./member.js";
import { Names } from "./names.js";
import { Notices } from "./notices.js";
import { watchPage } from "./page.js";
import { Requests } from "./requests.js";
import type { Dial } from "./socket.js";
import { Cell } from "./store.js";
import type { Gap, Position } from "./subscription.js";
import { type DataFrame, Topics } from "./topics.js";
import { emptyTuple, Kind, parseFrame, type RawFrame, readFrame } from "./tuple.js";

/** What a driver is made of. */
export interface DriverOptions {
  readonly token: TokenSource;
  readonly onError: ErrorSink;
  /** The hashes of the schema's entries. */
  readonly entries: Readonly<Record<string, string>>;
}

/** One client: its core, and all that hangs on it. */
export class Driver implements Home {
  readonly connection = new Cell<ConnectionState>(initialState);
  readonly topics: Topics;
  readonly onError: ErrorSink;
  readonly #options: DriverOptions;
  /** Kept over reconnects. */
  readonly #client = randomHex();
  readonly #epochs = new Names();
  readonly #requests = new Requests();
  readonly #notices: Notices;
  readonly #tuple = emptyTuple();
  readonly #alarm = new Alarm(() => this.#turn((core, now) => core.elapsed(now)));
  #core: Core | undefined;
  #link: Link | undefined;
  #unwatch = () => {};
  /** Calls that wait for the core. */
  #early: { run: (core: Core, now: number) => void; fail: (error: TidewireError) => void }[] = [];
  /** Why nothing works any more. */
  #end: TidewireError | undefined;
  /** The frame whose outputs are carried out. */
  #frame: RawFrame | undefined;
  /** The text that came with the last close. */
  #reason = "";

  constructor(options: DriverOptions) {
    this.#options = options;
    this.onError = (error) => {
      this.#notices.push(() => options.onError(error));
      queueMicrotask(() => this.#notices.flush());
    };
    this.#notices = new Notices((error) => console.error(error));
    this.topics = new Topics(this.onError);
  }

  /** Loads the core and connects; calls made before it is there follow in order. Without it all calls wait. */
  async start(dial: Dial): Promise<void> {
    this.#link = new Link(dial, this.#options.token, this.onError, {
      opened: () => this.#turn((core, now) => core.opened(0, now)),
      message: (data) => this.#message(data),
      closed: (code, reason) => {
        this.#reason = reason;
        this.#turn((core, now) => core.closed(0, code, now));
      },
    });
    try {
      const core = await newCore();
      if (this.#end) return core.free();
      this.#core = core;
    } catch (error) {
      return this.#fail(error);
    }
    this.#unwatch = watchPage(() => this.#turn((core, now) => core.wake(now)));
    const early = this.#early.splice(0);
    this.#turn((core, now) => {
      core.connect(now);
      for (const call of early) call.run(core, now);
    });
  }

  join(member: Member): void {
    this.#call(
      (core, now) => core.subscribe(this.topics.join(member), now),
      (error) => member.end(error),
    );
  }

  leave(member: Member): void {
    this.#call(
      (core, now) => {
        this.topics.leave(member);
        core.unsubscribe(member.number, now);
      },
      () => {},
    );
  }

  publish(topic: string, data: unknown): Promise<Position> {
    return new Promise((resolve, reject) => {
      const json = JSON.stringify(data) ?? "null";
      this.#call((core, now) => this.#requests.add(core.publish(0, now) >>> 0, { topic, json, resolve, reject }), reject);
    });
  }

  notify(listeners: readonly (() => void)[]): void {
    this.#notices.push(...listeners);
  }

  close(): void {
    this.#turn((core, now) => core.close(now));
    this.#finish(new TidewireError(ErrorCode.closed), undefined);
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
  #message(text: unknown): void {
    const core = this.#core;
    if (!core) return;
    const frame = parseFrame(text);
    const tuple = this.#tuple;
    readFrame(frame, this.topics.names, this.#epochs, tuple);
    // Kept, because code of the page may run before the event is delivered.
    const { kind, topic } = tuple;
    const members = this.topics.members(kind === Kind.Event ? topic : 0);
    const now = Date.now();
    let flags = 0;
    try {
      if (kind === Kind.Event) {
        flags = core.event(0, topic, tuple.offset, tuple.prev, now);
      } else {
        const { re, epoch, offset, prev, to, code, ms } = tuple;
        flags = core.frame(0, kind, re, topic, epoch, offset, prev, to, code, ms, tuple.flags, now);
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
    if (!(flags & Flag.Deliver)) return;
    if (kind === Kind.Error) this.onError(errorOf(frame.data));
    else this.topics.deliver(members, frame as unknown as DataFrame);
    this.#notices.flush();
  }

  #carryOut(core: Core): void {
    for (let op = core.poll(); op !== Op.None; op = core.poll()) this.#output(op, core);
    this.#alarm.set(core.timeout());
  }

  /** Carries out one output of the core. */
  #output(op: Op, core: Core): void {
    const a = core.arg(0);
    const b = core.arg(1);
    const c = core.arg(2);
    switch (op) {
      case Op.State:
        return this.#state(a, b, c);
      case Op.Open:
        return this.#link?.open();
      case Op.Shut:
        return this.#link?.shut(a);
      case Op.Hello:
        return this.#send(helloFrame(a, this.#client, this.#link?.token, this.#options.entries));
      case Op.Subscribe: {
        const since = c > 0 ? this.#position(c, core.arg(3)) : undefined;
        return this.#send(subscribeFrame(a, this.topics.names.text(b), since));
      }
      case Op.Unsubscribe:
        return this.#send(unsubscribeFrame(a, this.topics.names.text(b)));
      case Op.Publish:
        return this.#send(this.#requests.frame(a));
      case Op.Pong:
        return this.#send(pongFrame);
      case Op.Acked:
        return this.#requests.resolve(a, this.#position(b, c));
      case Op.Rejected:
        return this.#requests.reject(a, this.#refusal(b));
      case Op.Subscribed: {
        const position = this.#position(c, core.arg(3));
        for (const member of this.topics.members(a)) member.attach(position, recovered[b]);
        return;
      }
      case Op.Refused:
        return this.#refused(this.topics.members(a), this.#refusal(b), c > 0);
      case Op.Gap: {
        const cause = causes[b - 1] ?? "lost";
        for (const member of this.topics.members(a)) member.gap({ after: c, to: core.arg(3), cause });
        return;
      }
      case Op.Malformed:
        return this.onError(new TidewireError(ErrorCode.malformed, `${a} of the server's messages were no frames`));
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
    if (!isAskedAgain && !members.some((member) => member.watched)) this.onError(error);
  }

  #send(text: string): void {
    this.#link?.send(text);
  }

  #state(number: number, code: number, retryAt: number): void {
    const state = stateOf(number);
    this.#set({
      state,
      retryAt: retryAt || undefined,
      ...(code > 0 && { code, reason: this.#reason }),
      ...(state === "connected" && greeting(this.#frame?.data)),
    });
    this.#reason = "";
    if (state !== "connected") for (const member of this.topics.all()) member.detach();
  }

  #set(change: Partial<ConnectionState>): void {
    this.notify(this.connection.set({ ...this.connection.getSnapshot(), ...change }));
  }

  #position(epoch: number, offset: number): Position {
    return { epoch: this.#epochs.text(epoch), offset };
  }

  /** An error with this code; the server's own words where it has just sent them. */
  #refusal(code: number): TidewireError {
    const error = this.#frame?.topic === "$error" ? errorOf(this.#frame.data) : undefined;
    return error?.code === code ? error : new TidewireError(code);
  }

  /** Something is broken that no reconnect mends. */
  #fail(cause: unknown): void {
    if (this.#end) return;
    const error =
      cause instanceof TidewireError ? cause : new TidewireError(ErrorCode.internal, "the client failed", { cause });
    this.onError(error);
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
    this.#link?.shut(NORMAL);
    for (const call of this.#early.splice(0)) call.fail(end);
    this.#requests.rejectAll(end);
    for (const member of this.topics.all()) member.end(end);
    // The core may have said so already.
    if (error || this.connection.getSnapshot().state !== "closed") this.#set({ state: "closed", retryAt: undefined, error });
    this.#core?.free();
    this.#core = undefined;
    this.#notices.flush();
  }
}

/** By the core's number: fresh, recovered, lost. */
const recovered = [undefined, true, false];

/** By the core's number, from 1. */
const causes: readonly Gap["cause"][] = ["dropped", "conflated", "lost", "new_epoch"];

/** 128 random bits as 32 hex digits. */
function randomHex(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
