import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { stream } from "../src/index.js";
import { connected, fixture, reconnect, settle } from "./fake.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
});

/** Reads a stream to its end: what came, and the error that it threw. */
async function read(items: AsyncIterable<number>) {
  const heard: number[] = [];
  try {
    for await (const item of items) heard.push(item);
  } catch (error) {
    return { heard, error: error as Error };
  }
  return { heard, error: undefined };
}

test("a loop gets every item, then the end", async () => {
  const { live, server } = await connected();
  const count = read(stream(live, "count", { to: 3 }));
  const call = server.takeOne("$call");
  assert.deepEqual(call.data, { call: "count", args: { to: 3 }, items: 256 });
  for (const item of [1, 2, 3]) server.item(call.id, item);
  server.reply(call.id);
  assert.deepEqual(await count, { heard: [1, 2, 3], error: undefined });
  // What comes after the end is nobody's.
  server.item(call.id, 4);
  assert.deepEqual(server.take(), []);
  live.close();
});

test("items of several streams go to their own, and those of a call to nobody", async () => {
  const { live, server } = await connected();
  const first = read(stream(live, "count", { to: 1 }));
  const second = read(stream(live, "count", { to: 2 }));
  const sum = live.call("add", [1, 2]);
  const [one, two, add] = server.take();
  server.item(two?.id, 20);
  server.item(add?.id, 30);
  server.item(one?.id, 10);
  server.item(99, 40);
  server.reply(add?.id, 3);
  server.reply(one?.id);
  server.item(two?.id, 21);
  server.reply(two?.id);
  assert.equal(await sum, 3);
  assert.deepEqual([(await first).heard, (await second).heard], [[10], [20, 21]]);
  live.close();
});

test("leaving the loop cancels the call", async () => {
  const { live, server } = await connected();
  const items = stream(live, "count", { to: 9 });
  const { id } = server.takeOne("$call");
  server.item(id, 1);
  server.item(id, 2);
  for await (const item of items) {
    assert.equal(item, 1);
    break;
  }
  assert.deepEqual(server.takeOne("$cancel").data, { id });
  server.item(id, 3);
  server.error(id, 404, "cancelled");
  assert.deepEqual(await read(items), { heard: [], error: undefined });
  // The same without a loop.
  const closed = stream(live, "count", { to: 9 });
  server.take();
  const waiting = closed.next();
  closed.close();
  assert.deepEqual(await waiting, { value: undefined, done: true });
  server.takeOne("$cancel");
  // What has ended is not cancelled.
  const ended = stream(live, "count", { to: 0 });
  server.reply(server.takeOne("$call").id);
  await settle();
  ended.close();
  assert.deepEqual(server.take(), []);
  live.close();
});

test("a signal cancels the call, after what came", async () => {
  const { live, server } = await connected();
  const abort = new AbortController();
  const items = stream(live, "count", { to: 9 }, { signal: abort.signal });
  const { id } = server.takeOne("$call");
  server.item(id, 1);
  const reason = new Error("enough");
  abort.abort(reason);
  assert.deepEqual(server.takeOne("$cancel").data, { id });
  const { heard, error } = await read(items);
  assert.deepEqual(heard, [1]);
  assert.deepEqual([error?.name, error?.cause], ["cancelled", reason]);
  const { error: early } = await read(stream(live, "count", { to: 9 }, { signal: abort.signal }));
  assert.equal(early?.name, "cancelled");
  assert.deepEqual(server.take(), []);
  live.close();
});

test("a refusal throws into the loop, first or in the middle", async () => {
  const { live, server } = await connected();
  for (const items of [[], [1, 2]]) {
    const count = read(stream(live, "count", { to: 9 }));
    const { id } = server.takeOne("$call");
    for (const item of items) server.item(id, item);
    server.error(id, 1_234, "overflow", "too much");
    const { heard, error } = await count;
    assert.deepEqual([heard, error?.name, error?.message], [items, "overflow", "too much"]);
  }
  live.close();
});

test("a slow loop tells the server when it has room", async () => {
  const { live, server } = await connected();
  const items = stream(live, "count", { to: 9 }, { buffer: 4 });
  const { id, data } = server.takeOne("$call");
  assert.equal(data?.items, 4);
  for (const item of [1, 2, 3, 4]) server.item(id, item);
  await settle();
  assert.deepEqual(server.take(), [], "nothing is taken yet");
  await items.next();
  assert.deepEqual(server.take(), []);
  await items.next();
  assert.deepEqual(server.takeOne("$more").data, { id, items: 2 });
  server.item(id, 5);
  server.item(id, 6);
  server.reply(id);
  assert.deepEqual(await read(items), { heard: [3, 4, 5, 6], error: undefined });
  assert.deepEqual(server.take(), [], "at the end nothing more is asked for");
  live.close();
});

test("a server that sends more than there is room for is told to stop", async () => {
  const { live, server } = await connected();
  const items = stream(live, "count", { to: 9 }, { buffer: 2 });
  const { id } = server.takeOne("$call");
  for (const item of [1, 2, 3, 4]) server.item(id, item);
  assert.deepEqual(server.takeOne("$cancel").data, { id });
  const { heard, error } = await read(items);
  assert.deepEqual([heard, error?.name], [[1, 2], "limit"]);
  live.close();
});

test("a lost connection ends a stream, which is not begun again; one that waits is made", async () => {
  const parts = await connected();
  const { live, server } = parts;
  const count = stream(live, "count", { to: 9 });
  server.item(server.takeOne("$call").id, 1);
  const next = await reconnect(parts, server);
  const { heard, error } = await read(count);
  assert.deepEqual([heard, error?.name], [[1], "unknown"]);
  assert.deepEqual(next.take(), []);
  next.drop();
  const waits = read(stream(live, "count", { to: 1 }));
  const unsent = read(stream(live, "count", { to: 1 }, { timeout: 10 }));
  mock.timers.tick(10);
  assert.equal((await unsent).error?.name, "not_sent");
  mock.timers.tick(20_000);
  const last = await parts.socket();
  await last.greet();
  const { id } = last.takeOne("$call");
  last.item(id, 1);
  last.reply(id);
  assert.deepEqual(await waits, { heard: [1], error: undefined });
  live.close();
});

test("time is that of the whole stream, and there is none by default", async () => {
  const { live, server } = await connected();
  const short = read(stream(live, "count", { to: 9 }, { timeout: 1_000 }));
  const call = server.takeOne("$call");
  assert.equal(call.data?.timeout_ms, 1_000);
  const long = stream(live, "count", { to: 9 });
  const { id } = server.takeOne("$call");
  server.item(call.id, 1);
  mock.timers.tick(1_000);
  const { heard, error } = await short;
  assert.deepEqual([heard, error?.name], [[1], "timeout"]);
  assert.deepEqual(server.takeOne("$cancel").data, { id: call.id });
  for (let minute = 0; minute < 60; minute++) {
    server.receive({ topic: "$ping" });
    mock.timers.tick(30_000);
  }
  server.item(id, 1);
  assert.deepEqual(await long.next(), { value: 1, done: false });
  live.close();
  assert.equal((await read(long)).error?.name, "unknown");
});

test("a closed connection makes no stream", async () => {
  const { live } = fixture();
  const early = read(stream(live, "count", { to: 9 }));
  live.close();
  assert.equal((await early).error?.name, "closed");
  assert.equal((await read(stream(live, "count", { to: 9 }))).error?.name, "closed");
});

test("a stream goes on while the client moves, and holds up nothing", async () => {
  const parts = await connected();
  const { live, server } = parts;
  const count = stream(live, "count", { to: 9 }, { buffer: 2 });
  const { id } = server.takeOne("$call");
  server.receive({ topic: "$drain", data: { deadline_ms: 10_000 } });
  const next = await parts.socket();
  await next.greet();
  const sum = live.call("add", [1, 2]);
  next.reply(next.takeOne("$call").id, 3);
  assert.equal(await sum, 3);
  server.item(id, 1);
  assert.deepEqual(await count.next(), { value: 1, done: false });
  assert.deepEqual(server.takeOne("$more").data, { id, items: 1 });
  server.item(id, 2);
  server.reply(id);
  assert.deepEqual(await read(count), { heard: [2], error: undefined });
  assert.equal(server.closedWith, 1000);
  assert.deepEqual(next.take(), []);
  live.close();
});
