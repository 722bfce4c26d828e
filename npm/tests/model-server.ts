// A server in a few lines, as docs/wire.md has it, for tabs of a world: topics with a history, publishes that count once, snapshots,
// presence wishes, moves.

import type { WebSocketConstructor } from "../src/index.js";
import type { Sent } from "./fake.js";
import type { FakeTab, World } from "./world.js";

interface Event {
  readonly topic: string;
  readonly data: unknown;
  readonly offset: number;
  readonly prev: number;
  readonly mid?: string | undefined;
}

/** One connection, seen from the server. */
export class Session {
  readonly subscriptions = new Set<string>();
  /** Calls that count: how far they are, and for how many items there is room. */
  readonly counts = new Map<unknown, { at: number; to: number; room: number }>();
  readonly wishes = new Map<string, unknown>();
  hello: Record<string, unknown> | undefined;
  isOpen = true;
  /** Frames that came, but for the hello. */
  readonly frames: Sent[] = [];
  readonly #deliver: (act: (socket: ModelSocket) => void) => void;

  constructor(deliver: (act: (socket: ModelSocket) => void) => void) {
    this.#deliver = deliver;
  }

  send(frame: unknown): void {
    const data = JSON.stringify(frame);
    if (this.isOpen) this.#deliver((socket) => socket.onmessage?.({ data }));
  }

  /** Asks to move, and ends the connection in the end. */
  drain(deadline_ms: number): void {
    this.send({ topic: "$drain", data: { deadline_ms } });
    setTimeout(() => this.drop(4000), deadline_ms);
  }

  /** The connection ends. */
  drop(code = 1006, reason = ""): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#deliver((socket) => socket.onclose?.({ code, reason }));
  }
}

class ModelSocket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: unknown;
  readonly #up: (run: () => void) => void;
  readonly #session: Session;
  readonly #server: ModelServer;

  constructor(server: ModelServer, tab: FakeTab) {
    const { world } = server;
    const number = world.numberOf(this);
    this.#server = server;
    this.#up = (run) => tab.act(() => world.send(`up ${number}`, undefined, run));
    const down = (act: (socket: ModelSocket) => void) => world.send(`down ${number}`, tab, () => act(this));
    this.#session = new Session(down);
    this.#up(() => {
      if (!server.isUp) return down((socket) => socket.onclose?.({ code: 1006, reason: "" }));
      server.sessions.add(this.#session);
      server.owners.set(this.#session, tab);
      down((socket) => socket.onopen?.());
    });
  }

  send(text: string): void {
    this.#up(() => this.#session.isOpen && this.#server.receive(this.#session, JSON.parse(text)));
  }

  close(): void {
    this.#up(() => {
      this.#session.isOpen = false;
    });
  }
}

/** The server. */
export class ModelServer {
  readonly world: World;
  readonly sessions = new Set<Session>();
  readonly owners = new Map<Session, FakeTab>();
  readonly logs = new Map<string, Event[]>();
  readonly epochs = new Map<string, string>();
  isUp = true;
  /** How many events a topic's history holds. */
  history = Infinity;
  #mids = new Map<string, number>();

  constructor(world: World) {
    this.world = world;
  }

  /** What a tab takes for its WebSocket class. */
  socketOf(tab: FakeTab): WebSocketConstructor {
    const server = this;
    return class extends ModelSocket {
      constructor() {
        super(server, tab);
      }
    };
  }

  /** The connections that stand: a tab that was killed has none. */
  get open(): Session[] {
    return [...this.sessions].filter((session) => session.isOpen && !this.owners.get(session)?.isDead);
  }

  log(topic: string): Event[] {
    let log = this.logs.get(topic);
    if (!log) this.logs.set(topic, (log = []));
    return log;
  }

  publish(topic: string, data: unknown, mid?: string): number {
    const log = this.log(topic);
    const prev = log.at(-1)?.offset ?? 0;
    // Offsets have holes.
    const event = { topic, data, offset: prev + 1 + (this.world.below(4) === 0 ? 3 : 0), prev, mid };
    log.push(event);
    for (const session of this.open) if (session.subscriptions.has(topic)) session.send(event);
    return event.offset;
  }

  /** The topic begins anew. */
  restart(topic: string): void {
    this.logs.delete(topic);
    this.epochs.set(topic, `${this.#epoch(topic)}'`);
    for (const session of this.open) if (session.subscriptions.has(topic)) session.drop(1001);
  }

  #epoch(topic: string): string {
    return this.epochs.get(topic) ?? "e";
  }

  receive(session: Session, frame: Sent): void {
    const data = frame.data ?? {};
    const reply = (answer: unknown) => session.send({ topic: "$reply", re: frame.id, data: answer });
    if (frame.topic !== "$hello") session.frames.push(frame);
    switch (frame.topic) {
      case "$hello": {
        session.hello = data;
        const answer = { version: 1, session: "s", ping_ms: 25_000, pong_ms: 10_000, limits: {} };
        return session.send({ topic: "$hello", re: frame.id, data: answer });
      }
      case "$subscribe":
        return this.#subscribe(session, frame, data, reply);
      case "$unsubscribe":
        session.subscriptions.delete(String(data.topic));
        session.wishes.delete(String(data.topic));
        return reply(null);
      case "$call": {
        if (data.call !== "count") return reply({ echo: data.args });
        const { to } = data.args as { to: number };
        session.counts.set(frame.id, { at: 0, to, room: Number(data.items) });
        return this.#count(session, frame.id);
      }
      case "$more": {
        const count = session.counts.get(data.id);
        if (count) count.room += Number(data.items);
        return this.#count(session, data.id);
      }
      case "$cancel":
        if (session.counts.delete(data.id)) session.send({ topic: "$error", re: data.id, data: { code: 404, name: "cancelled" } });
        return;
      case "$ping":
        return reply(null);
      case "$pong":
        return;
    }
    if (frame.topic.startsWith("$presence:")) {
      session.wishes.set(frame.topic.slice("$presence:".length), data);
      return reply(null);
    }
    const scope = `${frame.topic} ${session.hello?.client} ${frame.mid}`;
    let offset = frame.mid ? this.#mids.get(scope) : undefined;
    offset ??= this.publish(frame.topic, data, frame.mid);
    this.#mids.set(scope, offset);
    reply({ epoch: this.#epoch(frame.topic), offset });
  }

  /** Counts on, as far as there is room. */
  #count(session: Session, id: unknown): void {
    const count = session.counts.get(id);
    if (!count) return;
    for (; count.room > 0 && count.at < count.to; count.room--) session.send({ topic: "$item", re: id, data: ++count.at });
    if (count.at < count.to) return;
    session.counts.delete(id);
    session.send({ topic: "$reply", re: id, data: null });
  }

  #subscribe(session: Session, frame: Sent, data: Record<string, unknown>, reply: (answer: unknown) => void): void {
    const topic = String(data.topic);
    const since = data.since as { epoch: string; offset: number } | undefined;
    const log = this.log(topic);
    const kept = log.slice(-this.history);
    const head = log.at(-1)?.offset ?? 0;
    const epoch = this.#epoch(topic);
    if (topic.includes("secret")) {
      session.subscriptions.delete(topic);
      return session.send({ topic: "$error", re: frame.id, data: { code: 201, name: "forbidden" } });
    }
    if (data.beside && !session.subscriptions.has(topic)) {
      return session.send({ topic: "$error", re: frame.id, data: { code: 303, name: "unavailable" } });
    }
    if (data.presence !== undefined) session.wishes.set(topic, data.presence);
    const snapshot = data.snapshot ? kept.map((event) => event.data) : undefined;
    if (data.beside) return reply({ epoch, offset: head, head, snapshot });
    if (data.presence === undefined) session.wishes.delete(topic);
    session.subscriptions.add(topic);
    const missed = since ? kept.filter(({ offset }) => offset > since.offset) : [];
    const recovered = since && since.epoch === epoch && (missed[0]?.prev ?? head) === since.offset;
    if (!recovered) return reply({ epoch, offset: head, head, recovered, snapshot });
    reply({ epoch, offset: since.offset, head, recovered });
    for (const event of missed) session.send(event);
  }
}
