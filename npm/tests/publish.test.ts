import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { TidewireError } from "../src/index.js";
import { connected, fixture, reconnect, settle } from "./fake.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
});

test("a publish is sent at once and acknowledged with its position", async () => {
  const { live, server } = await connected();
  const sent = live.publish("chat:a", { text: 'say "hi"' });
  const { id, data } = server.takeOne("chat:a");
  assert.deepEqual(data, { text: 'say "hi"' });
  server.reply(id, { epoch: "e1", offset: 58 });
  assert.deepEqual(await sent, { epoch: "e1", offset: 58 });
  live.close();
});

test("answers find their requests in any order, and a subscription publishes too", async () => {
  const { live, server } = await connected();
  const room = live.subscribe("chat:a", () => {});
  server.accept("e1", 0);
  const sent = [live.publish("chat:a", { text: "1" }), room.publish({ text: "2" }), live.publish("chat:b", { text: "3" })];
  const ids = server.take().map(({ id }) => id);
  server.reply(ids[2], { epoch: "e2", offset: 3 });
  server.error(ids[0], 104, "invalid_data", "text is too short");
  server.reply(ids[1], { epoch: "e1", offset: 2 });
  const [one, two, three] = await Promise.allSettled(sent);
  assert.equal(one?.status === "rejected" && String(one.reason), "invalid_data: text is too short");
  assert(one?.status === "rejected" && one.reason instanceof TidewireError);
  assert.deepEqual(two, { status: "fulfilled", value: { epoch: "e1", offset: 2 } });
  assert.deepEqual(three, { status: "fulfilled", value: { epoch: "e2", offset: 3 } });
  live.close();
});

test("publishes wait for a connection, in order, with the data of their time", async () => {
  const { live, socket } = fixture();
  const data = { text: "1" };
  const first = live.publish("chat:a", data);
  data.text = "2";
  const second = live.publish("chat:a", data);
  const server = await socket();
  await server.greet();
  const frames = server.take();
  assert.deepEqual(frames.map((frame) => frame.data), [{ text: "1" }, { text: "2" }]);
  for (const { id } of frames) server.reply(id, { epoch: "e", offset: id });
  await Promise.all([first, second]);
  live.close();
});

test("each publish has a name of its own, and messages have none", async () => {
  const { live, server } = await connected();
  void live.publish("chat:a", { text: "1" }).catch(() => {});
  void live.publish("chat:a", { text: "2" }).catch(() => {});
  void live.send("wave", null).catch(() => {});
  const mids = server.take().map(({ mid }) => mid);
  assert.match(String(mids[0]), /^[0-9a-f]{32}-1$/);
  assert.equal(mids[1], mids[0]?.replace(/1$/, "2"));
  assert.equal(mids[2], undefined);
  live.close();
});

test("a publish whose answer is lost is sent again under its name, in order, with the epoch that it was for", async () => {
  const parts = await connected();
  const { live, server } = parts;
  live.subscribe("chat:a", () => {});
  server.accept("e1", 4);
  const sent = [live.publish("chat:a", { text: "1" }), live.publish("chat:a", { text: "2" })];
  const first = server.take();
  assert(first.every(({ epoch }) => epoch === undefined));
  const next = await reconnect(parts, server);
  sent.push(live.publish("chat:a", { text: "3" }));
  next.takeFirst("$subscribe");
  const again = next.take();
  assert.deepEqual(again.map(({ data }) => data?.text), ["1", "2", "3"]);
  assert.deepEqual(again.map(({ epoch }) => epoch), ["e1", "e1", undefined]);
  assert.deepEqual(again.map(({ after }) => after), [4, 4, undefined]);
  assert.deepEqual(again.slice(0, 2).map(({ mid }) => mid), first.map(({ mid }) => mid));
  next.reply(again[0]?.id, { epoch: "e1", offset: 5 });
  next.error(again[1]?.id, 401, "unknown", "the topic began anew");
  next.reply(again[2]?.id, { epoch: "e1", offset: 6 });
  const results = await Promise.allSettled(sent);
  assert.deepEqual(results[0], { status: "fulfilled", value: { epoch: "e1", offset: 5 } });
  assert(results[1]?.status === "rejected" && results[1].reason.message === "the topic began anew");
  assert.equal(results[2]?.status, "fulfilled");
  live.close();
});

test("where the epoch is not known a publish whose answer is lost is unknown and not sent again; so is a message", async () => {
  const parts = await connected();
  const { live, server } = parts;
  live.subscribe("chat:b", () => {});
  server.accept("e1", 0);
  const sent = live.publish("chat:a", { text: "x" });
  const told = live.send("chat:b", { text: "x" });
  server.take();
  const lost = [assert.rejects(sent, { name: "unknown", code: 401 }), assert.rejects(told, { name: "unknown" })];
  const next = await reconnect(parts, server);
  await Promise.all(lost);
  assert.deepEqual(next.take().map(({ topic }) => topic), ["$subscribe"]);
  live.close();
});

test("a publish may be given up, early, waiting and sent", async () => {
  const { live, socket } = fixture();
  const reason = new Error("the page moved on");
  const give = (signal: AbortSignal) => assert.rejects(live.publish("chat:a", { text: "x" }, { signal }), { name: "cancelled", cause: reason });
  await give(AbortSignal.abort(reason));
  const [early, waiting, late] = [new AbortController(), new AbortController(), new AbortController()];
  const given = [give(early.signal), give(waiting.signal), give(late.signal)];
  early.abort(reason);
  const server = await socket();
  waiting.abort(reason);
  await server.greet();
  assert.equal(server.take().length, 1);
  late.abort(reason);
  await Promise.all(given);
  assert.deepEqual(server.take(), []);
  live.close();
});

test("an error of the application keeps its code and name", async () => {
  const { live, server } = await connected();
  const sent = live.publish("chat:a", { text: "x" });
  server.error(server.takeOne("chat:a").id, 1_007, "room_closed", "this room is closed");
  await assert.rejects(sent, { code: 1_007, name: "room_closed", message: "this room is closed" });
  live.close();
});

test("data that is no JSON is refused at once", async () => {
  const { live, server } = await connected();
  const cycle: { text: string; self?: unknown } = { text: "" };
  cycle.self = cycle;
  await assert.rejects(live.publish("chat:a", cycle), TypeError);
  assert.deepEqual(server.take(), []);
  live.close();
});

test("more than 1,000 waiting publishes are refused", async () => {
  const { live, socket } = fixture();
  const waiting = Array.from({ length: 1_001 }, () => live.publish("chat:a", { text: "" }));
  const last = assert.rejects(waiting.pop() as Promise<unknown>, { name: "offline_queue_full" });
  await socket();
  await last;
  live.close();
  const results = await Promise.allSettled(waiting);
  assert(results.every((result) => result.status === "rejected" && result.reason.name === "closed"));
});

test("messages go both ways without types", async () => {
  const { live, server } = await connected();
  const heard: unknown[] = [];
  const off = live.on("greeting", (data) => heard.push(data));
  const sent = live.send("wave", { to: "all" });
  const { id, data } = server.takeOne("wave");
  assert.deepEqual(data, { to: "all" });
  server.reply(id);
  assert.equal(await sent, undefined);
  server.receive({ topic: "greeting", data: "hello" });
  server.receive({ topic: "greeting" });
  server.receive({ topic: "other", data: 1 });
  off();
  server.receive({ topic: "greeting", data: "late" });
  assert.deepEqual(heard, ["hello", null]);
  live.close();
});

test("events of topics that the server subscribed reach `on`", async () => {
  const { live, server } = await connected();
  const heard: unknown[] = [];
  live.on("user:7", (data) => heard.push(data));
  server.receive({ topic: "$subscribed", data: { topic: "user:7", epoch: "e", offset: 3 } });
  server.event("user:7", 4, "four");
  server.receive({ topic: "$unsubscribed", data: { topic: "user:7", code: 201 } });
  server.event("user:7", 5, "five");
  assert.deepEqual(heard, ["four"]);
  live.close();
});

test("a handler of messages that throws is reported", async () => {
  const { live, server, errors } = await connected();
  const failure = new Error("mine");
  live.on("greeting", () => {
    throw failure;
  });
  server.receive({ topic: "greeting" });
  await settle();
  assert.deepEqual(errors, [failure]);
  live.close();
});

test("an error that answers nothing is reported", async () => {
  const { live, server, errors } = await connected();
  server.receive({ topic: "$error", data: { code: 301, name: "rate_limited", message: "slow down", topic: "chat:a" } });
  await settle();
  assert.deepEqual(errors.map(String), ["rate_limited: slow down"]);
  live.close();
});

test("whatever the server sends, the client lives on", async () => {
  const { live, server, errors, state } = await connected();
  const heard: string[] = [];
  live.subscribe("chat:a", ({ text }) => heard.push(text));
  server.accept("e", 0);
  const frames = ["", "{", "null", "5", "[]", '"x"', "{}", '{"topic":5}', '{"topic":"chat:a","offset":1}', '{"topic":"$gap"}'];
  for (const frame of frames) server.receiveRaw(frame);
  for (const frame of [new ArrayBuffer(3), undefined]) server.receiveRaw(frame);
  for (const offset of ["1", -1, 1.5, 1e300, null, {}]) server.receive({ topic: "chat:a", data: {}, offset, prev: 0 });
  server.receive({ topic: "$from_tomorrow", data: {} });
  server.receive({ topic: "$reply", re: 999, data: {} });
  server.event("chat:a", 1, { text: "still here" });
  await settle();
  assert.deepEqual(heard, ["still here"]);
  assert.equal(state().state, "connected");
  assert(errors.length > 0 && errors.every((error) => (error as Error).name === "malformed"), "said, but not for each");
  assert(errors.length < 8);
  live.close();
});
