// What goes over the one socket, and which of it each line gets.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import type { Port } from "../src/shared-topic.js";
import type { SocketSink } from "../src/socket.js";
import { Trunk } from "../src/trunk.js";
import type { Sent } from "./fake.js";

type Frame = Record<string, unknown> & { data?: Record<string, unknown> };

class TestPort implements Port {
  readonly isOwn: boolean;
  readonly frames: Frame[] = [];
  closedWith: number | undefined;
  readonly #trunk: Trunk;
  #ids = 100;

  constructor(trunk: Trunk, isOwn: boolean) {
    this.#trunk = trunk;
    this.isOwn = isOwn;
    trunk.attach(this);
  }

  opened(): void {
    this.ask("$hello", { version: 1, client: "own", schema: {} });
  }
  post(text: string): void {
    this.frames.push(JSON.parse(text));
  }
  closed(code: number): void {
    this.closedWith = code;
    this.#trunk.detach(this);
  }

  /** Sends a request and gives its number. */
  ask(topic: string, data: unknown, more: object = {}): number {
    const id = ++this.#ids;
    this.#trunk.receive(this, JSON.stringify({ topic, id, data, ...more }));
    return id;
  }
  subscribe(more: object = {}): number {
    return this.ask("$subscribe", { topic: "a", ...more });
  }
  /** Takes what came since the last call. */
  take(): Frame[] {
    return this.frames.splice(0);
  }
  /** The offsets of the events that came since the last call. */
  events(): unknown[] {
    return this.take().flatMap(({ topic, offset }) => (topic === "a" ? [offset] : []));
  }
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
});

/** A trunk with so many lines, greeted. */
function fixture(lines: number, hello: object = {}) {
  const sent: Sent[] = [];
  const ended: number[] = [];
  let sink: SocketSink | undefined;
  const dial = (given: SocketSink) => {
    sink = given;
    return { send: (text: string) => void sent.push(JSON.parse(text)), close: (code: number) => void ended.push(code) };
  };
  const owner = {
    drained: () => void server.drains++,
    greeted() {},
    ended: (_: unknown, __: boolean, code: number) => void ended.push(code),
  };
  const trunk = new Trunk(dial, "common", owner);
  const server = {
    sent,
    ended,
    /** How often new lines were sent elsewhere. */
    drains: 0,
    receive: (frame: unknown) => sink?.heard(JSON.stringify(frame)),
    take: () => sent.splice(0),
    /** Takes the one frame that was sent. */
    one(topic: string): Sent {
      assert.deepEqual(sent.map((frame) => frame.topic), [topic]);
      return sent.shift() as Sent;
    },
    reply: (re: unknown, data: unknown) => server.receive({ topic: "$reply", re, data }),
    error: (re: unknown, code: number) => server.receive({ topic: "$error", re, data: { code, name: "no" } }),
    event: (offset: number, prev = offset - 1) => server.receive({ topic: "a", data: offset, offset, prev }),
    accept(offset: number, more: object = {}): Sent {
      const frame = server.one("$subscribe");
      server.reply(frame.id, { epoch: "e", offset, head: offset, ...more });
      return frame;
    },
  };
  const ports = Array.from({ length: lines }, (_, index) => new TestPort(trunk, index === 0));
  sink?.opened();
  const { id, data } = server.one("$hello");
  assert.equal(data?.client, "common");
  server.receive({ topic: "$hello", re: id, data: { version: 1, session: "s", ping_ms: 25_000, pong_ms: 10_000, ...hello } });
  const [a, b, c] = ports as [TestPort, TestPort, TestPort];
  return { trunk, server, ports, a, b, c };
}

test("one hello is answered to all; only the leading tab renews the token, and none watches the server", () => {
  const { a, b } = fixture(2, { token_ms: 60_000 });
  const [mine] = a.take();
  const [theirs] = b.take();
  assert.deepEqual(mine, { topic: "$hello", re: 101, data: { version: 1, session: "s", ping_ms: 0, pong_ms: 0, token_ms: 60_000 } });
  assert.deepEqual(theirs?.data, { version: 1, session: "s", ping_ms: 0, pong_ms: 0 });
});

test("who joins a stream is placed in it without a word to the server, with what was kept of it", () => {
  const { server, a, b, c } = fixture(3);
  a.subscribe();
  server.accept(5);
  for (const offset of [6, 7, 8]) server.event(offset);
  b.take();
  c.take();
  const id = b.subscribe({ since: { epoch: "e", offset: 6 } });
  assert.deepEqual(b.take().map(({ topic, re, data, offset }) => [topic, re, offset, data]), [
    ["$reply", id, undefined, { epoch: "e", offset: 6, head: 8, recovered: true }],
    ["a", undefined, 7, 7],
    ["a", undefined, 8, 8],
  ]);
  const other = c.subscribe({ since: { epoch: "old", offset: 6 } });
  assert.deepEqual(c.take(), [{ topic: "$reply", data: { epoch: "e", offset: 8, head: 8, recovered: false }, re: other }]);
  assert.deepEqual(server.take(), []);
  server.event(9);
  assert.deepEqual([b.events(), c.events()], [[9], [9]]);
});

test("what is no longer kept is asked for, and the others do not get it twice", () => {
  const { server, a, b } = fixture(2);
  a.subscribe();
  server.accept(5);
  server.event(6);
  assert.deepEqual(a.events(), [6]);
  b.subscribe({ since: { epoch: "e", offset: 3 } });
  server.event(7);
  const { data } = server.accept(3, { head: 7, recovered: true });
  assert.deepEqual(data, { topic: "a", since: { epoch: "e", offset: 3 } });
  for (const offset of [4, 5, 6, 7, 8]) server.event(offset);
  assert.deepEqual(a.events(), [7, 8]);
  assert.deepEqual(b.events(), [4, 5, 6, 7, 8]);
});

test("a move that leaves out what others have not seen is told to them", () => {
  const { server, a, b } = fixture(2);
  a.subscribe();
  server.accept(5, { head: 9 });
  a.take();
  b.subscribe({ since: { epoch: "e", offset: 1 } });
  server.accept(9, { recovered: false });
  assert.deepEqual(a.take(), [{ topic: "$gap", data: { topic: "a", after: 5, to: 9, cause: "lost" } }]);
});

test("a topic of another epoch brings every client back", async () => {
  const { server, a, b } = fixture(2);
  a.subscribe();
  server.accept(5);
  b.subscribe({ since: { epoch: "e", offset: 1 } });
  server.accept(2, { epoch: "e2", recovered: false });
  await Promise.resolve();
  assert.deepEqual([a.closedWith, b.closedWith], [4000, undefined]);
});

test("nothing kept reaches over a hole or a gap", () => {
  const { server, a, b, c } = fixture(3);
  a.subscribe();
  server.accept(5);
  server.event(6);
  server.event(9, 8);
  b.subscribe({ since: { epoch: "e", offset: 6 } });
  assert.deepEqual(server.one("$subscribe").data?.since, { epoch: "e", offset: 6 });
  const { server: other, a: first, b: second } = fixture(2);
  first.subscribe();
  other.accept(5);
  other.event(6);
  other.receive({ topic: "$gap", data: { topic: "a", after: 6, to: 8, cause: "lost" } });
  assert.equal(first.take().at(-1)?.topic, "$gap");
  second.subscribe({ since: { epoch: "e", offset: 6 } });
  assert.deepEqual(other.one("$subscribe").data?.since, { epoch: "e", offset: 6 });
  assert.equal(c.closedWith, undefined);
});

test("a snapshot beside the stream is the joining tab's only, with the events behind it", () => {
  const { server, a, b } = fixture(2);
  a.subscribe();
  server.accept(5);
  a.take();
  b.take();
  const id = b.subscribe({ snapshot: true });
  const { id: read, data } = server.one("$subscribe");
  assert.deepEqual(data, { topic: "a", snapshot: true, beside: true });
  for (const offset of [6, 7, 8]) server.event(offset);
  server.reply(read, { epoch: "e", offset: 7, head: 8, snapshot: [7] });
  server.event(9);
  const [answer, ...events] = b.take();
  assert.deepEqual(answer, { topic: "$reply", re: id, data: { epoch: "e", offset: 7, head: 8, snapshot: [7] } });
  assert.deepEqual(events.map(({ offset }) => offset), [8, 9]);
  assert.deepEqual(a.events(), [6, 7, 8, 9]);
});

test("who leaves while an answer is on its way does not join by it, and the last ends the topic", () => {
  const { server, a, b } = fixture(2);
  a.subscribe();
  server.accept(5);
  b.subscribe({ snapshot: true });
  const { id } = server.one("$subscribe");
  b.ask("$unsubscribe", { topic: "a" });
  server.reply(id, { epoch: "e", offset: 5, head: 5, snapshot: [] });
  b.take();
  server.event(6);
  assert.deepEqual(b.take(), []);
  assert.deepEqual(server.take(), []);
  a.ask("$unsubscribe", { topic: "a" });
  assert.deepEqual(server.one("$unsubscribe").data, { topic: "a" });
});

test("rights that end do so for all, and a refused wish for its tab only", () => {
  const { server, a, b } = fixture(2);
  a.subscribe();
  server.accept(5);
  a.take();
  const id = b.subscribe({ presence: { bad: true } });
  const { id: wish, data } = server.one("$subscribe");
  assert.deepEqual(data, { topic: "a", snapshot: true, beside: true, presence: { bad: true } });
  server.error(wish, 201);
  assert.deepEqual(b.take().at(-1), { topic: "$error", re: id, data: { code: 201, name: "no" } });
  server.event(6);
  assert.deepEqual([a.events(), b.events()], [[6], []]);
  b.subscribe({ since: { epoch: "e", offset: 1 } });
  server.error(server.one("$subscribe").id, 201);
  assert.deepEqual(a.take(), [{ topic: "$unsubscribed", data: { topic: "a", code: 201 } }]);
});

test("what the server subscribes is every tab's, also of those that come later", () => {
  const { trunk, server, a, b } = fixture(2);
  const subscribed = { topic: "$subscribed", data: { topic: "a", epoch: "e", offset: 3 } };
  server.receive(subscribed);
  server.event(4);
  const late = new TestPort(trunk, false);
  server.event(5);
  assert.deepEqual(a.take().slice(1).map(({ topic }) => topic), ["$subscribed", "a", "a"]);
  assert.deepEqual(late.take().slice(1), [
    { topic: "$subscribed", data: { topic: "a", epoch: "e", offset: 4 } },
    { topic: "a", data: 5, offset: 5, prev: 4 },
  ]);
  b.take();
  server.receive({ topic: "$unsubscribed", data: { topic: "a", code: 201 } });
  assert.deepEqual(b.take().map(({ topic }) => topic), ["$unsubscribed"]);
  assert.deepEqual(server.take(), []);
});

test("a tab's call is cancelled by its own number, and when the tab goes", () => {
  const { trunk, server, a, b } = fixture(2);
  a.take();
  const id = a.ask("$call", { call: "x" });
  const call = server.one("$call");
  trunk.receive(a, JSON.stringify({ topic: "$cancel", data: { id } }));
  assert.deepEqual(server.one("$cancel").data, { id: call.id });
  server.error(call.id, 404);
  assert.equal(a.take().at(-1)?.re, id);
  b.ask("$call", { call: "x" });
  const other = server.one("$call");
  trunk.detach(b);
  assert.deepEqual(server.one("$cancel").data, { id: other.id });
  server.reply(other.id, null);
  trunk.detach(a);
  assert.deepEqual(server.ended, [1000]);
});

test("a server that asks to move asks those too who are greeted later", () => {
  const { trunk, server, a } = fixture(1);
  const drain = { topic: "$drain", data: { deadline_ms: 10_000 } };
  a.take();
  server.receive(drain);
  assert.deepEqual(a.take(), [drain]);
  assert.deepEqual(new TestPort(trunk, false).take().at(-1), drain);
});

test("a fault that concerns no request is told to one tab, what is no frame to all", () => {
  const { server, a, b } = fixture(2);
  a.take();
  b.take();
  server.receive({ topic: "$error", data: { code: 302, name: "internal" } });
  server.receive({ data: 1 });
  assert.equal(a.take().length, 2);
  assert.equal(b.take().length, 1);
});

test("a server that is silent, or greets nobody, is given up", () => {
  const { server } = fixture(1);
  mock.timers.tick(34_000);
  server.receive({ topic: "$ping" });
  server.one("$pong");
  mock.timers.tick(35_000);
  assert.deepEqual(server.ended, [4103, 4103]);
  const closes: number[] = [];
  const owner = { drained() {}, greeted() {}, ended: (_: unknown, __: boolean, code: number) => void closes.push(code) };
  new Trunk(() => ({ send() {}, close() {} }), "common", owner);
  mock.timers.tick(10_000);
  assert.deepEqual(closes, [1006]);
});

test("a server that does not answer a page that wakes is left by all", () => {
  const { server, a, b } = fixture(2);
  mock.timers.tick(5_000);
  a.take();
  b.take();
  a.ask("$ping", undefined);
  const { id, ...ping } = server.one("$ping");
  assert.deepEqual([typeof id, ping], ["number", { topic: "$ping" }]);
  mock.timers.tick(399);
  assert.deepEqual([a.take(), b.take()], [[], []]);
  mock.timers.tick(1);
  const drain = { topic: "$drain", data: { deadline_ms: 2_000 } };
  assert.deepEqual([a.take(), b.take(), server.drains], [[drain], [drain], 1]);
});

test("a server that answers a page that wakes is kept, and the answer is that page's", () => {
  const { server, a, b } = fixture(2);
  a.take();
  b.take();
  const re = b.ask("$ping", undefined);
  mock.timers.tick(300);
  server.reply(server.one("$ping").id, null);
  mock.timers.tick(300);
  assert.deepEqual([a.take(), b.take(), server.drains], [[], [{ topic: "$reply", re, data: null }], 0]);
});
