import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { connected, fixture, reconnect } from "./fake.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
});

test("calls are answered in any order, with whatever the server gives", async () => {
  const { live, server } = await connected();
  const sum = live.call("add", [1, 2], { timeout: 5_000.4 });
  const pong = live.call("ping", null, { timeout: Infinity });
  const [add, ping] = server.take();
  assert.deepEqual(add, { topic: "$call", id: add?.id, data: { call: "add", args: [1, 2], timeout_ms: 5_001 } });
  assert.deepEqual(ping?.data, { call: "ping", args: null });
  server.reply(ping?.id);
  server.reply(add?.id, 3);
  assert.equal(await sum, 3);
  assert.equal(await pong, null);
  live.close();
});

test("a refused call is the server's error", async () => {
  const { live, server } = await connected();
  const sum = live.call("add", [1, 2]);
  const { id, data } = server.takeOne("$call");
  assert.equal(data?.timeout_ms, 30_000);
  server.error(id, 1_234, "overflow", "too much");
  await assert.rejects(sum, { code: 1_234, name: "overflow", message: "too much" });
  live.close();
});

test("a call that takes too long is over on both sides; one that never left was not sent", async () => {
  const { live, server, socket } = await connected();
  const late = assert.rejects(live.call("ping", null, { timeout: 1_000 }), { name: "timeout" });
  const { id } = server.takeOne("$call");
  mock.timers.tick(1_000);
  await late;
  assert.deepEqual(server.takeOne("$cancel").data, { id });
  server.reply(id, "too late");
  server.drop(1006);
  const unsent = assert.rejects(live.call("ping", null, { timeout: 100 }), {
    name: "not_sent",
    message: "there is no connection: it was not sent; the last one ended with 1006",
  });
  mock.timers.tick(100);
  await unsent;
  await socket;
  live.close();
});

test("a call whose answer is lost is unknown and is not made twice; one that waits is made", async () => {
  const parts = await connected();
  const { live, server } = parts;
  const lost = assert.rejects(live.call("add", [1, 2]), { name: "unknown" });
  server.take();
  server.drop();
  await lost;
  const sum = live.call("add", [3, 4]);
  mock.timers.tick(Number(parts.state().retryAt) - Date.now());
  const next = await parts.socket();
  await next.greet();
  const { id, data } = next.takeOne("$call");
  assert.deepEqual(data?.args, [3, 4]);
  next.reply(id, 7);
  assert.equal(await sum, 7);
  live.close();
});

test("a signal cancels a call, and is let go when the call is over", async () => {
  const { live, server } = await connected();
  const abort = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = abort.signal;
  abort.signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(abort.signal, args);
  };
  abort.signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(abort.signal, args);
  };
  const done = live.call("add", [1, 2], { signal: abort.signal });
  server.reply(server.takeOne("$call").id, 3);
  assert.equal(await done, 3);
  assert.equal(listeners, 0);

  const cancelled = live.call("add", [1, 2], { signal: abort.signal });
  const { id } = server.takeOne("$call");
  const reason = new Error("enough");
  abort.abort(reason);
  await assert.rejects(cancelled, { name: "cancelled", code: 404, cause: reason });
  assert.deepEqual(server.takeOne("$cancel").data, { id });
  await assert.rejects(live.call("ping", null, { signal: abort.signal }), { name: "cancelled" });
  assert.deepEqual(server.take(), []);
  live.close();
});

test("a connection that is closed ends calls", async () => {
  const { live } = fixture();
  const early = assert.rejects(live.call("ping", null), { name: "closed" });
  live.close();
  await early;
  await assert.rejects(live.call("ping", null), { name: "closed" });
});

test("history is read by range, and asked for again after a lost connection", async () => {
  const parts = await connected();
  const { live, server } = parts;
  const page = live.history("chat:a", { before: 42, limit: 2 });
  const { data } = server.takeOne("$history");
  assert.deepEqual(data, { topic: "chat:a", before: 42, limit: 2 });
  const next = await reconnect(parts, server);
  const again = next.takeOne("$history");
  assert.deepEqual(again.data, data);
  const reply = { epoch: "e", head: 57, events: [{ data: { user: "ann", text: "hi" }, offset: 41, prev: 40, mid: "m" }] };
  next.reply(again.id, reply);
  assert.deepEqual(await page, reply);

  const room = live.subscribe("chat:a", () => {});
  next.accept("e", 57);
  const slow = assert.rejects(room.history({ after: 3, timeout: 500 }), { name: "timeout" });
  assert.deepEqual(next.takeOne("$history").data, { topic: "chat:a", after: 3 });
  mock.timers.tick(500);
  await slow;
  live.close();
});
