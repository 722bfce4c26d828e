// A server that sends whatever comes to its mind, on every socket that the client opens, and then comes to its senses.
//
// What throws into the page fails the test: here by itself, as a rejection or an error that nobody caught by the test runner.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";
import { items, presence, stream, TidewireError } from "../src/index.js";
import { type FakeSocket, fixture, type Sent, settle } from "./fake.js";
import { randomFrom, seedOf } from "./random.js";

const rounds = process.env.TIDEWIRE_LONG ? 500_000 : 20_000;
/** One that found something once (a hello without data ended the client for good), and another. */
const seeds = [15838, seedOf()];

const { frames }: { frames: { text: string }[] } = JSON.parse(
  readFileSync(new URL("../../vectors/tuples.json", import.meta.url), "utf8"),
);

type Random = (below: number) => number;

function mutate(text: string, random: Random): string {
  const at = random(text.length + 1);
  const pieces = ["", "0", "-", "1e3", '"', "{", "}", "null", "chat:general", "$", "\u0000", "\\ud800", '"re":1,', '"offset":9,"prev":8,'];
  return text.slice(0, at) + pieces[random(pieces.length)] + text.slice(at + random(4));
}

const hello = { version: 1, session: "s1", ping_ms: 25_000, pong_ms: 10_000, limits: { message_bytes: 4_194_304, subscriptions: 128 } };

/** Whether a request is for a stream. */
const isStream = (data: Sent["data"]) => data?.call === "count";

/** Answers a frame as a sound server does whose topics are empty. */
function answer(socket: FakeSocket, { topic, id, data }: Sent): void {
  const position = { epoch: "sound", offset: 0, head: 0 };
  if (topic === "$hello") socket.receive({ topic, re: id, data: hello });
  else if (topic === "$subscribe") socket.reply(id, { ...position, ...(data?.snapshot === true && { snapshot: [] }) });
  else if (topic === "$history") socket.reply(id, { ...position, events: [] });
  else if (isStream(data)) {
    socket.item(id, 1);
    socket.reply(id);
  }
  else if (id !== undefined) socket.reply(id, topic.startsWith("$") ? null : position);
}

/** All of a client's servers, and what the page has asked them. */
function hostile(random: Random) {
  const parts = fixture();
  const { live, sockets, state } = parts;
  const unanswered: { socket: FakeSocket; frame: Sent }[] = [];
  let connected: FakeSocket[] = [];
  let asked = 0;
  let settled = 0;
  const ask = (answer: Promise<unknown>) => {
    const count = () => settled++;
    asked++;
    answer.then(count, count);
  };
  /** Reads a stream, to its end or until it has enough. */
  const read = async (enough: number) => {
    const abort = new AbortController();
    for await (const _ of stream(live, "count", { to: 9 }, { buffer: 1 + random(4), signal: abort.signal })) {
      if (random(20) === 0) abort.abort();
      if (--enough === 0) break;
    }
  };
  /** Takes what the client has opened, closed and sent. */
  const look = () => {
    for (const socket of sockets.splice(0)) {
      connected.push(socket);
      socket.onopen?.();
    }
    connected = connected.filter(({ closedWith }) => closedWith === undefined);
    for (const socket of connected) for (const frame of socket.take()) unanswered.push({ socket, frame });
  };
  const anySocket = () => connected[random(connected.length)];
  const drop = (socket: FakeSocket | undefined, code: number) => {
    connected = connected.filter((other) => other !== socket);
    socket?.drop(code, "mad");
  };
  /** Lets the client come back. */
  const wait = async () => {
    const { retryAt } = state();
    if (state().state === "closed") live.connection.retry();
    else if (connected.length === 0) mock.timers.tick(Math.max(0, Number(retryAt ?? 0) - Date.now()));
    await settle();
    look();
  };
  const answerOne = () => {
    const [next] = unanswered.splice(random(unanswered.length), 1);
    if (!next || next.socket.closedWith !== undefined) return;
    const { socket, frame } = next;
    if (frame.topic === "$subscribe" && random(4) > 0) {
      const snapshot = [undefined, [], {}, { count: 5 }, 5, "text", null][random(7)];
      socket.reply(frame.id, { epoch: `e${random(3)}`, offset: random(60), head: 60, snapshot, recovered: [true, false, undefined][random(3)] });
    } else if (random(20) === 0 && frame.topic === "$hello") {
      socket.receiveRaw(mutate(JSON.stringify({ topic: "$hello", re: frame.id, data: hello }), random));
    } else if (isStream(frame.data) && random(4) > 0) {
      const item = JSON.stringify({ topic: random(8) > 0 ? "$item" : "$reply", re: frame.id, data: 1 });
      for (let count = random(6); count > 0; count--) socket.receiveRaw(random(4) === 0 ? mutate(item, random) : item);
      // Not the end yet.
      if (random(4) > 0) unanswered.push(next);
    } else if (random(10) === 0) {
      socket.error(frame.id, [100, 201, 303, 1_234][random(4)] ?? 0, "mad");
    } else {
      answer(socket, frame);
    }
  };
  const page = [
    () => ask(live.publish("chat:general", { text: "x" })),
    () => ask(live.publish("chat:other", { text: "x" }, { signal: AbortSignal.timeout(random(50)) })),
    () => ask(live.call("ping", null, { timeout: random(2) === 0 ? 1_000 : Infinity })),
    () => ask(live.history("chat:general")),
    () => ask(live.send("wave", null)),
    () => ask(read(random(4) || Infinity)),
    () => ask(read(Infinity)),
    () => live.connection.retry(),
  ];
  /** Says something, or does something else that is none of a sound server. */
  const act = async () => {
    if (connected.length === 0) await wait();
    look();
    if (random(3) > 0) answerOne();
    const frame = frames[random(frames.length)]?.text ?? "";
    anySocket()?.receiveRaw(random(4) === 0 ? frame : mutate(frame, random));
    if (random(20) === 0) page[random(page.length)]?.();
    if (random(300) === 0) drop(anySocket(), [1006, 1001, 1009, 4000, 4100, 4204, 4999, 3][random(8)] ?? 0);
    if (random(100) === 0) mock.timers.tick(random(5_000));
  };
  /** From now on every answer is sound, also of what was asked before. */
  const heal = async () => {
    for (const socket of connected) drop(socket, 1006);
    for (let turn = 0; turn < 1_000 && (state().state !== "connected" || settled < asked); turn++) {
      await wait();
      for (const socket of connected) socket.receive({ topic: "$ping" });
      look();
      for (const { socket, frame } of unanswered.splice(0)) answer(socket, frame);
      // Refusals that may pass are asked again later.
      mock.timers.tick(1_000);
    }
  };
  return { ...parts, act, heal, look, connected: () => connected, counts: () => ({ asked, settled }) };
}

for (const seed of seeds) test(`mutated frames break nothing (TIDEWIRE_SEED=${seed})`, async () => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
  const random = randomFrom(seed);
  const { live, errors, act, heal, look, connected, counts, state } = hostile(random);
  live.subscribe("chat:general", () => {}, { onGap: () => {} });
  live.on("chat", () => {});
  const join = () => live.subscribe("chat:general", { state: items(), presence: { status: "here" } });
  const watch = () => presence(live, "chat:general");
  const isClosed = ({ status }: ReturnType<typeof join | typeof watch>) => status.getSnapshot().state === "closed";
  let room = join();
  let people = watch();
  await settle();
  for (let round = 0; round < rounds; round++) {
    await act();
    if (random(10) > 0) continue;
    await settle();
    room.state.getSnapshot();
    people.getSnapshot();
    if (isClosed(room)) room = join();
    if (isClosed(people)) people = watch();
  }
  await settle();
  assert(errors.every((error) => error instanceof TidewireError), String(errors.find((error) => !(error instanceof TidewireError))));
  assert(errors.some((error) => (error as TidewireError).name === "malformed"), "it is said");

  await heal();
  assert.equal(state().state, "connected");
  const { asked, settled } = counts();
  assert(asked > 100);
  assert.equal(settled, asked, "every promise has its outcome");
  assert.equal(connected().length, 1, "and nothing is left open");
  look();
  const [server] = connected() as [FakeSocket];
  const prices: number[] = [];
  live.subscribe("prices", (price) => prices.push(price));
  server.accept("e", 0);
  server.event("prices", 1, 5);
  assert.deepEqual(prices, [5], "the client still works");
  const list = live.subscribe("prices", { state: items() });
  server.reply(server.takeOne("$subscribe").id, { epoch: "e", offset: 1, head: 1, snapshot: [5] });
  await settle();
  assert.deepEqual(list.state.getSnapshot().value, [5]);
  live.close();
});
