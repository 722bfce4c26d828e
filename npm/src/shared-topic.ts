// One topic that several tabs share: one subscription on the wire, a position for each tab.
//
// The stream of the wire goes from a position on. A tab that comes later begins somewhere in it: where the topic keeps the
// events since then, they are sent to that tab alone; else the wire's subscription is asked for again from there, which
// repeats events that the others have, and those are left out. What waits for an answer that would move the stream waits in order.

import type { RawFrame } from "./tuple.js";

/** The trunk's end of one line. */
export interface Port {
  /** Whether it is that of the tab that leads. */
  readonly isOwn: boolean;
  opened(): void;
  post(text: string): void;
  closed(code: number, reason: string): void;
}

/** What a topic needs of its connection. */
export interface Wire {
  /** Sends a request; `answer` gets the `$reply` or `$error`. */
  ask(topic: string, data: unknown, answer: (frame: RawFrame) => void): void;
  /** Every line that the server's own subscriptions are told to. */
  readonly ports: Iterable<Port>;
  /** Nobody subscribes any more. */
  forget(topic: SharedTopic): void;
}

/** The data of a `$subscribe`. */
export interface SubscribeData {
  readonly since?: { readonly epoch: string; readonly offset: number };
  readonly snapshot?: boolean;
  readonly beside?: boolean;
  readonly presence?: unknown;
}

/** A `$subscribe` that waits for its answer. */
interface Ask extends SubscribeData {
  readonly port: Port;
  readonly id: number;
  /** Its wish for presence, as text. */
  readonly wish: string | undefined;
  /** Only for the snapshot: its stream goes on as it is. */
  readonly isRead: boolean;
  /** The answer to its wish, which has a snapshot too. */
  readonly told?: RawFrame | undefined;
}

/** A tab that gets the topic's events. */
interface Member {
  /** It has everything up to here. */
  at: number;
  wish: string | undefined;
}

/** As many events, or characters, as a topic keeps for tabs that come a moment later than others. */
const MOST_KEPT = 256;
const MOST_KEPT_CHARS = 256 * 1024;

/** Come back now. */
const COME_BACK = 4000;

/** One topic of a trunk. */
export class SharedTopic {
  readonly name: string;
  readonly #wire: Wire;
  readonly #members = new Map<Port, Member>();
  /** The last `$subscribe` of each tab that wants the topic. */
  readonly #wanted = new Map<Port, number>();
  #asks: Ask[] = [];
  /** A request that the others wait for is on its way. */
  #isBusy = false;
  /** Snapshots on their way. */
  #reads = 0;
  #isLive = false;
  /** The server subscribed of itself: every tab hears of it. */
  #isServers = false;
  #epoch = "";
  /** The offset of the stream's last event. */
  #last = 0;
  /** The newest offset that the server told of; up to it the stream may be catching up. */
  #head = 0;
  /** The stream's events after `start`. */
  #kept: { readonly offset: number; readonly text: string }[] = [];
  #keptChars = 0;
  #start = Infinity;
  /** The wish that the server has. */
  #wish: string | undefined;

  constructor(wire: Wire, name: string) {
    this.#wire = wire;
    this.name = name;
  }

  /** A tab's `$subscribe`. */
  subscribe(port: Port, id: number, data: SubscribeData): void {
    const wish = data.presence == null ? undefined : JSON.stringify(data.presence);
    const isRead = data.beside === true;
    if (!isRead) {
      this.#members.delete(port);
      this.#wanted.set(port, id);
    }
    this.#asks.push({ ...data, port, id, wish, isRead });
    this.#next();
  }

  /** A tab's `$unsubscribe`. Only the server ends what it began. */
  unsubscribe(port: Port): void {
    if (!this.#isServers) this.leave(port);
  }

  /** A tab's line is gone. */
  leave(port: Port): void {
    this.#members.delete(port);
    this.#wanted.delete(port);
    this.#asks = this.#asks.filter((ask) => ask.port !== port);
    this.#next();
  }

  /** The server has taken a tab's wish: the last one counts. */
  wished(port: Port, wish: string | undefined): void {
    const member = this.#members.get(port);
    if (!member || wish === undefined) return;
    this.#members.delete(port);
    this.#members.set(port, { ...member, wish });
    this.#wish = wish;
  }

  /** An event, as it came. */
  event({ offset, prev }: RawFrame, text: string): void {
    if (!isOffset(offset) || !isOffset(prev) || offset <= prev) {
      // Each client says so.
      for (const port of this.#members.keys()) port.post(text);
      return;
    }
    if (offset > this.#last) this.#keep(offset, prev, text);
    for (const [port, member] of this.#members) {
      if (offset <= member.at) continue;
      member.at = offset;
      port.post(text);
    }
  }

  /** A `$gap`. Nothing kept reaches over it. */
  gap({ to, cause }: RawFrame, text: string): void {
    const isIncluded = cause === "included" && isOffset(to);
    if (isIncluded) this.#last = Math.max(this.#last, to);
    this.#forgetEvents(isIncluded ? this.#last : Infinity);
    for (const [port, member] of this.#members) {
      if (isOffset(to) && to <= member.at) continue;
      port.post(text);
      if (isIncluded) member.at = to;
    }
  }

  /** A `$subscribed`: the server did so of itself. */
  serverSubscribed({ epoch, offset }: RawFrame, text: string): void {
    this.#isServers = true;
    this.#move(epoch, offset, offset);
    for (const port of this.#wire.ports) {
      port.post(text);
      if (!this.#members.has(port)) this.#members.set(port, { at: this.#last, wish: undefined });
    }
  }

  /** A new line hears what the server subscribed of itself before. */
  greet(port: Port): void {
    if (!this.#isServers) return;
    const offset = this.#position;
    port.post(frameText("$subscribed", { topic: this.name, epoch: this.#epoch, offset }));
    this.#members.set(port, { at: offset, wish: undefined });
  }

  /** An `$unsubscribed`. */
  serverUnsubscribed(text: string): void {
    this.#isServers = false;
    this.#fall(text);
    this.#next();
  }

  /** Where one begins that has seen nothing. */
  get #position(): number {
    return Math.max(this.#last, this.#head);
  }

  /** Does what is to be done next. */
  #next(): void {
    while (!this.#isBusy) {
      const ask = this.#asks.shift();
      if (!ask) return this.#rest();
      if (ask.isRead) this.#passRead(ask);
      else if (!this.#isLive) this.#subscribe(ask, ask.wish);
      else if (ask.wish !== undefined && ask.wish !== this.#wish && !ask.told) this.#tell(ask);
      else this.#place(ask);
    }
  }

  /** Nobody waits: is anybody left, and with which wish? */
  #rest(): void {
    if (this.#reads > 0 || this.#isServers) return;
    if (this.#members.size === 0) {
      if (this.#isLive) this.#wire.ask("$unsubscribe", { topic: this.name }, () => {});
      this.#isLive = false;
      return this.#wire.forget(this);
    }
    const wishes = [...this.#members.values()].flatMap(({ wish }) => wish ?? []);
    if (this.#wish === undefined || wishes.includes(this.#wish)) return;
    const wish = wishes.at(-1);
    if (wish === undefined) return this.#subscribe(undefined, undefined);
    this.#wish = wish;
    this.#wire.ask(`$presence:${this.name}`, JSON.parse(wish), () => {});
  }

  /** A snapshot for a tab that has the stream. */
  #passRead({ port, id, wish, presence }: Ask): void {
    if (!this.#isLive || !this.#members.has(port)) return port.post(answerText(gone, id));
    this.#read(presence, (frame) => {
      if (frame.topic === "$reply") this.wished(port, wish);
      port.post(answerText(frame, id));
      this.#next();
    });
  }

  /** Subscribes on the wire: the stream goes on from the position that is asked for, without `ask` from where it is. */
  #subscribe(ask: Ask | undefined, wish: string | undefined): void {
    this.#isBusy = true;
    const { since, snapshot } = ask ?? { since: { epoch: this.#epoch, offset: this.#last }, snapshot: undefined };
    const presence = wish === undefined ? undefined : JSON.parse(wish);
    this.#wire.ask("$subscribe", { topic: this.name, since, snapshot, presence }, (frame) => {
      this.#isBusy = false;
      const { epoch, offset, head, code } = dataOf(frame);
      if (frame.topic === "$reply") {
        this.#wish = wish;
        this.#move(epoch, offset, head);
      } else if (!this.#isServers) {
        // What may not be begun is not kept.
        this.#fall(frameText("$unsubscribed", { topic: this.name, code }));
      }
      if (ask) this.#answer(ask, frame);
      this.#next();
    });
  }

  /** The wish of a tab that joins, before it is placed: a refusal of it concerns that tab only. */
  #tell(ask: Ask): void {
    this.#isBusy = true;
    this.#read(ask.presence, (frame) => {
      this.#isBusy = false;
      if (frame.topic === "$reply") {
        this.#wish = ask.wish;
        if (this.#isWanted(ask)) this.#asks.unshift({ ...ask, told: frame });
      } else {
        this.#answer(ask, frame);
      }
      this.#next();
    });
  }

  /** Begins for one more tab in a stream that flows. */
  #place(ask: Ask): void {
    const { since, snapshot, told } = ask;
    const head = this.#position;
    const from = since?.epoch === this.#epoch ? since.offset : undefined;
    if (from !== undefined && (from < this.#start || from > head)) return this.#subscribe(ask, this.#wish);
    const recovered = since && from !== undefined;
    if (snapshot && !recovered) {
      const fits = (frame: RawFrame) => frame.topic !== "$reply" || (this.#isLive && dataOf(frame).epoch === this.#epoch);
      if (told && fits(told)) return this.#answer(ask, told, recovered);
      return this.#read(undefined, (frame) => {
        if (fits(frame)) this.#answer(ask, frame, recovered);
        // The topic ended, or began anew, while the snapshot was made.
        else if (this.#isWanted(ask)) this.#asks.push(ask);
        this.#next();
      });
    }
    const data = { epoch: this.#epoch, offset: from ?? head, head };
    this.#answer(ask, { topic: "$reply", data }, recovered);
  }

  /** Answers a `$subscribe`, and sends what was kept since the position in the answer. */
  #answer(ask: Ask, frame: RawFrame, recovered?: boolean): void {
    const { id, port, wish } = ask;
    const data = dataOf(frame);
    const isDone = frame.topic === "$reply";
    const said = isDone ? { ...data, ...(recovered !== undefined && { recovered }), snapshot: ask.snapshot ? data.snapshot : undefined } : data;
    port.post(answerText({ ...frame, data: said }, id));
    if (!this.#isWanted(ask)) return;
    if (!isDone && !this.#isServers) this.#wanted.delete(port);
    if (!this.#isLive) return;
    const member = { at: isDone && isOffset(data.offset) ? data.offset : this.#position, wish };
    if (isDone || this.#isServers) this.#members.set(port, member);
    if (!isDone) return;
    if (member.at < this.#start && this.#start <= this.#last) this.#tellLoss(port, member, this.#start);
    for (const { offset, text } of this.#kept) {
      if (offset <= member.at) continue;
      member.at = offset;
      port.post(text);
    }
  }

  #isWanted({ port, id }: Ask): boolean {
    return this.#wanted.get(port) === id;
  }

  /** Asks for a snapshot beside the stream. */
  #read(presence: unknown, answer: (frame: RawFrame) => void): void {
    this.#reads++;
    this.#wire.ask("$subscribe", { topic: this.name, snapshot: true, beside: true, presence }, (frame) => {
      this.#reads--;
      answer(frame);
    });
  }

  /** The stream goes on from here. */
  #move(epoch: unknown, offset: unknown, head: unknown): void {
    const from = isOffset(offset) ? offset : 0;
    const isAnew = this.#isLive && epoch !== this.#epoch;
    this.#isLive = true;
    this.#epoch = String(epoch);
    this.#last = from;
    this.#head = isOffset(head) ? head : from;
    this.#forgetEvents(from);
    if (isAnew) {
      // Their clients follow offsets that mean nothing any more. They are told when this is done.
      const members = [...this.#members.keys()];
      this.#members.clear();
      return queueMicrotask(() => {
        for (const port of members) port.closed(COME_BACK, "");
      });
    }
    for (const [port, member] of this.#members) if (member.at < from) this.#tellLoss(port, member, from);
  }

  /** A tab will not get the events up to `to`: its client asks for them. */
  #tellLoss(port: Port, member: Member, to: number): void {
    port.post(frameText("$gap", { topic: this.name, after: member.at, to, cause: "lost" }));
    member.at = to;
  }

  /** The wire's subscription is over. */
  #fall(text: string): void {
    this.#isLive = false;
    this.#wish = undefined;
    for (const port of this.#members.keys()) {
      port.post(text);
      this.#wanted.delete(port);
    }
    this.#members.clear();
    this.#forgetEvents(Infinity);
  }

  #keep(offset: number, prev: number, text: string): void {
    if (prev !== this.#last || this.#kept.length === 0) this.#forgetEvents(prev);
    this.#last = offset;
    this.#kept.push({ offset, text });
    this.#keptChars += text.length;
    while (this.#kept.length > MOST_KEPT || this.#keptChars > MOST_KEPT_CHARS) {
      const first = this.#kept.shift();
      if (!first) break;
      this.#start = first.offset;
      this.#keptChars -= first.text.length;
    }
  }

  /** What is kept begins after `start`. */
  #forgetEvents(start: number): void {
    this.#kept = [];
    this.#keptChars = 0;
    this.#start = start;
  }
}

/** There is no stream any more beside which there could be a snapshot. */
const gone: RawFrame = { topic: "$error", data: { code: 303, name: "unavailable", message: "the subscription has ended" } };

/** The text of a frame with nothing but data. */
export const frameText = (topic: string, data: unknown): string => JSON.stringify({ topic, data });

/** The text of an answer, to the request by its own number. */
export const answerText = (frame: RawFrame, re: unknown): string => JSON.stringify({ ...frame, re });

/** The data of a frame, if it is an object. */
export const dataOf = ({ data }: RawFrame): RawFrame => (typeof data === "object" && data !== null ? (data as RawFrame) : {});

const isOffset = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
