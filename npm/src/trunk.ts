// The one connection of all tabs: speaks the wire (docs/wire.md) to the server, and to each line as the server would.
//
// Requests get numbers of the trunk's own; what the server says goes to the lines that it concerns. It decides nothing that
// clients decide: when it ends, its lines end with the same code, and their clients come back.

import { type Alarm, alarm } from "./alarm.js";
import { answerText, dataOf, frameText, type Port, SharedTopic, type SubscribeData, type Wire } from "./shared-topic.js";
import type { Dial, Socket } from "./socket.js";
import { parseFrame, type RawFrame } from "./tuple.js";

/** Who opened a trunk. */
export interface TrunkOwner {
  /** New lines go elsewhere: the server asked to move. */
  drained(): void;
  /** The server has greeted. */
  greeted(): void;
  /** It is over, for these lines too. */
  ended(ports: readonly Port[], wasOpen: boolean, code: number, reason: string): void;
}

/** What a trunk knows of a line. */
interface Part {
  /** The number of its `$hello`, until that is answered. */
  hello: number | undefined;
  isGreeted: boolean;
  /** The trunk's number of its calls, by its own. */
  readonly calls: Map<number, number>;
}

/** So long may it take until the server greets: as long as a client waits. */
const GREETING_MS = 10_000;
/** So long has the server to answer a line's `$ping`: a little less than the line's client gives it, so that this hears first. */
const ANSWER_MS = 400;
/** So long may the lines then use the old connection, for what it owes. */
const LEAVE_MS = 2_000;

const NORMAL = 1000;
const ABNORMAL = 1006;
const DEAD_PEER = 4103;

/** One real socket and the lines that share it. */
export class Trunk implements Wire {
  readonly #client: string;
  readonly #owner: TrunkOwner;
  readonly #parts = new Map<Port, Part>();
  readonly #topics = new Map<string, SharedTopic>();
  readonly #requests = new Map<unknown, (frame: RawFrame) => void>();
  /** Where what a call streams goes, until its answer. */
  readonly #items = new Map<unknown, (frame: RawFrame) => void>();
  readonly #alarm: Alarm = alarm(() => this.look());
  #socket: Socket | undefined;
  #isOpen = false;
  #isGreeting = false;
  /** Nothing more comes of it. */
  isOver = false;
  /** The answer to the hello. */
  #hello: RawFrame | undefined;
  /** The server's `$drain`, for lines that are greeted later. */
  #drain: unknown;
  #ids = 0;
  #heardAt = Date.now();
  /** When a line asked first for a sign of life, since the server was heard. */
  #askedAt = Infinity;
  /** The server is dead after so long without a frame; at first, after so long without an answer. */
  #silenceMs = GREETING_MS;
  /** When the identity ends. */
  #tokenEndsAt = Infinity;

  /** @throws what the socket's class throws. */
  constructor(dial: Dial, client: string, owner: TrunkOwner) {
    this.#client = client;
    this.#owner = owner;
    this.#socket = dial({
      opened: () => {
        this.#isOpen = true;
        for (const port of this.ports) port.opened();
      },
      heard: (data) => this.#message(data),
      ended: (code, reason) => this.#end(code, reason),
    });
    this.look();
  }

  get ports(): Iterable<Port> {
    return [...this.#parts.keys()];
  }

  attach(port: Port): void {
    this.#parts.set(port, { hello: undefined, isGreeted: false, calls: new Map() });
    if (this.#isOpen) port.opened();
  }

  /** A line is gone. With the last one the connection ends. */
  detach(port: Port): void {
    const part = this.#parts.get(port);
    if (!part) return;
    this.#parts.delete(port);
    if (this.#parts.size === 0) return this.close();
    for (const id of part.calls.values()) this.#send("$cancel", { id });
    for (const topic of [...this.#topics.values()]) topic.leave(port);
  }

  /** Ends it at once; nobody is told. */
  close(): void {
    this.isOver = true;
    this.#alarm.clear();
    this.#socket?.close(NORMAL);
    this.#socket = undefined;
  }

  /** Looks whether the server lives. Its own timer is slow in a page that is not shown, so others call this too. */
  look(): void {
    if (this.isOver) return;
    const now = Date.now();
    if (now >= this.#askedAt + ANSWER_MS) {
      // A page woke, and the server is silent: all go elsewhere, as if it had asked them to.
      this.#askedAt = Infinity;
      this.#drained(frameText("$drain", { deadline_ms: LEAVE_MS }));
    }
    const until = this.#heardAt + this.#silenceMs;
    if (now < until) return this.#alarm.set(Math.min(until, this.#askedAt + ANSWER_MS));
    const [sent, told] = this.#hello ? [DEAD_PEER, DEAD_PEER] : [NORMAL, ABNORMAL];
    this.#socket?.close(sent);
    this.#end(told, "");
  }

  /** A frame of a line's client. */
  receive(port: Port, text: string): void {
    const part = this.#parts.get(port);
    if (!part || this.isOver) return;
    const frame = parseFrame(text);
    const data = dataOf(frame);
    const id = frame.id as number;
    switch (frame.topic) {
      case "$hello":
        part.hello = id;
        if (this.#hello) this.#greet(port, part, this.#hello);
        else if (!this.#isGreeting) this.#sayHello(port, data);
        return;
      case "$subscribe":
        return this.#topic(String(data.topic)).subscribe(port, id, data as SubscribeData);
      case "$unsubscribe":
        this.#topics.get(String(data.topic))?.unsubscribe(port);
        return port.post(answerText({ topic: "$reply", data: null }, id));
      case "$cancel":
      case "$more": {
        const call = part.calls.get(data.id as number);
        if (call !== undefined) this.#send(frame.topic, { ...data, id: call });
        return;
      }
      case "$pong":
        return;
      case "$ping":
        this.#askedAt = Math.min(this.#askedAt, Date.now());
        this.look();
        return this.#forward(port, part, frame);
      default:
        return this.#forward(port, part, frame);
    }
  }

  ask(topic: string, data: unknown, answer: (frame: RawFrame) => void): void {
    this.#ask({ topic, data }, answer);
  }

  forget(topic: SharedTopic): void {
    this.#topics.delete(topic.name);
  }

  /** Passes a request on, and its answer back. */
  #forward(port: Port, part: Part, frame: RawFrame): void {
    const topic = String(frame.topic);
    const id = frame.id as number;
    const sent: number = this.#ask(frame, (answer) => {
      part.calls.delete(id);
      this.#items.delete(sent);
      if (answer.topic === "$reply") {
        if (topic === "$token") this.#identity(answer);
        if (topic.startsWith(PRESENCE)) {
          this.#topics.get(topic.slice(PRESENCE.length))?.wished(port, JSON.stringify(frame.data));
        }
      }
      port.post(answerText(answer, id));
    });
    if (topic !== "$call") return;
    part.calls.set(id, sent);
    this.#items.set(sent, (item) => port.post(answerText(item, id)));
  }

  /** Sends a request under a number of its own, which it gives. */
  #ask(frame: RawFrame, answer: (frame: RawFrame) => void): number {
    const id = ++this.#ids;
    this.#requests.set(id, answer);
    this.#socket?.send(JSON.stringify({ ...frame, id }));
    return id;
  }

  #send(topic: string, data: unknown): void {
    this.#socket?.send(frameText(topic, data));
  }

  #topic(name: string): SharedTopic {
    let topic = this.#topics.get(name);
    if (!topic) this.#topics.set(name, (topic = new SharedTopic(this, name)));
    return topic;
  }

  /** The first hello of a line is that of all; the instance is theirs together. */
  #sayHello(port: Port, data: RawFrame): void {
    this.#isGreeting = true;
    this.#ask({ topic: "$hello", data: { ...data, client: this.#client } }, (frame) => {
      const { ping_ms, pong_ms } = dataOf(frame);
      if (frame.topic !== "$hello" || typeof ping_ms !== "number" || typeof pong_ms !== "number") {
        // A refusal: the server closes, and says whether to come back.
        const id = this.#parts.get(port)?.hello;
        return port.post(answerText(frame, id));
      }
      this.#hello = frame;
      // Where both are 0 its silence says nothing.
      this.#silenceMs = ping_ms + pong_ms || Infinity;
      this.#identity(frame);
      this.#alarm.clear();
      this.look();
      for (const [port, part] of this.#parts) this.#greet(port, part, frame);
      this.#owner.greeted();
    });
  }

  /** Answers a line's hello. Only the leading tab's client renews the token; the trunk itself watches the server. */
  #greet(port: Port, part: Part, frame: RawFrame): void {
    if (part.hello === undefined) return;
    const token_ms =
      port.isOwn && this.#tokenEndsAt < Infinity ? Math.max(1, Math.round(this.#tokenEndsAt - Date.now())) : undefined;
    port.post(answerText({ ...frame, data: { ...dataOf(frame), ping_ms: 0, pong_ms: 0, token_ms } }, part.hello));
    part.hello = undefined;
    part.isGreeted = true;
    for (const topic of this.#topics.values()) topic.greet(port);
    if (this.#drain !== undefined) this.#post(port, this.#drain);
  }

  /** The identity ends so long after this answer of the server. */
  #identity(frame: RawFrame): void {
    const { token_ms } = dataOf(frame);
    this.#tokenEndsAt = typeof token_ms === "number" && token_ms > 0 ? Date.now() + token_ms : Infinity;
  }

  #message(text: unknown): void {
    this.#heardAt = Date.now();
    this.#askedAt = Infinity;
    const frame = parseFrame(text);
    const { topic } = frame;
    const isEvent = frame.offset !== undefined || frame.prev !== undefined;
    if (typeof topic === "string" && isEvent && (topic.charCodeAt(0) !== DOLLAR || topic.startsWith(PRESENCE))) {
      this.#topics.get(topic)?.event(frame, text as string);
      return;
    }
    const data = dataOf(frame);
    switch (topic) {
      case "$reply":
      case "$hello":
        return this.#answered(frame);
      case "$item":
        return this.#items.get(frame.re)?.(frame);
      case "$error":
        if (frame.re !== undefined) return this.#answered(frame);
        return this.#post(this.#first(), text);
      case "$ping":
        return this.#socket?.send('{"topic":"$pong"}');
      case "$gap":
        return this.#topics.get(String(data.topic))?.gap(data, text as string);
      case "$subscribed":
        return this.#topic(String(data.topic)).serverSubscribed(data, text as string);
      case "$unsubscribed":
        return this.#topics.get(String(data.topic))?.serverUnsubscribed(text as string);
      case "$drain":
        return this.#drained(text);
    }
    // Messages to the session, and what is no frame, which each client reports.
    for (const port of this.ports) this.#post(port, text);
  }

  /** All lines go to another connection. */
  #drained(text: unknown): void {
    this.#drain = text;
    this.#owner.drained();
    for (const port of this.ports) this.#post(port, text);
  }

  #answered(frame: RawFrame): void {
    const answer = this.#requests.get(frame.re);
    this.#requests.delete(frame.re);
    answer?.(frame);
  }

  #post(port: Port | undefined, text: unknown): void {
    if (port && this.#parts.get(port)?.isGreeted) port.post(typeof text === "string" ? text : "");
  }

  /** Whom a fault is told that concerns nobody's request: the leading tab, or whoever is there. */
  #first(): Port | undefined {
    const ports = [...this.ports];
    return ports.find((port) => port.isOwn) ?? ports[0];
  }

  #end(code: number, reason: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#socket = undefined;
    this.#alarm.clear();
    this.#owner.ended([...this.ports], this.#isOpen, code, reason);
  }
}

const DOLLAR = 36;

/** Begins the name of the topic of another topic's members. */
const PRESENCE = "$presence:";
