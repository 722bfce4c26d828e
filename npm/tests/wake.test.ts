// A page that wakes and does not know whether its connection does: time is the test's, the server is scripted.

import assert from "node:assert/strict";
import { beforeEach, mock, test, type TestContext } from "node:test";
import { connected, type FakeSocket, settle } from "./fake.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
});

/** Gives the runtime the events of a page, for one test; calling it is the network's coming back. */
function page(t: TestContext): () => void {
  const events = new EventTarget();
  const global = globalThis as unknown as Record<string, unknown>;
  for (const name of ["addEventListener", "removeEventListener"] as const) {
    global[name] = events[name].bind(events);
    t.after(() => delete global[name]);
  }
  return () => void events.dispatchEvent(new Event("online"));
}

/** A connection with a topic, silent for two seconds. */
async function silent(t: TestContext) {
  const online = page(t);
  const parts = await connected();
  t.after(() => parts.live.close());
  const heard: number[] = [];
  const prices = parts.live.subscribe("prices", (price) => heard.push(price));
  parts.server.accept("e", 1);
  mock.timers.tick(2_000);
  return { ...parts, old: parts.server, online, heard, prices };
}

test("a connection that died in silence is replaced within a second", async (t) => {
  const { live, old, socket, sockets, online, heard, prices, state, errors } = await silent(t);
  const sent = live.publish("prices" as never, 5 as never);
  old.take();
  online();
  const { id, ...ping } = old.takeOne("$ping");
  assert.deepEqual([typeof id, ping], ["number", { topic: "$ping" }]);
  for (let flips = 0; flips < 4; flips++) {
    online();
    mock.timers.tick(100);
  }
  assert.deepEqual([old.take(), sockets.length], [[], 0], "it is asked once, and has half a second");
  mock.timers.tick(100);
  const next: FakeSocket = await socket();
  assert.equal(state().state, "connected");
  await next.greet({ session: "s2" });
  assert.equal(state().session, "s2");
  const asked = next.takeOne("$subscribe");
  next.reply(asked.id, { epoch: "e", offset: 1, head: 2, recovered: true });
  next.event("prices", 2, 2);
  assert.deepEqual(heard, [2]);
  assert.equal(prices.status.getSnapshot().state, "live");
  // The old one owes the answer of a publish, which counts once wherever it goes.
  mock.timers.tick(1_000);
  assert.equal(old.closedWith, 1000);
  const again = next.takeOne("prices");
  assert.deepEqual([again.epoch, again.after], ["e", 1]);
  next.reply(again.id, { epoch: "e", offset: 3 });
  assert.deepEqual(await sent, { epoch: "e", offset: 3 });
  assert.deepEqual(errors, []);
});

test("a server that answers in time, in whatever words, is kept", async (t) => {
  const { old, online, sockets, state } = await silent(t);
  for (const answer of [
    (id: number | undefined) => old.reply(id),
    // One of before this question.
    (id: number | undefined) => old.error(id, 102, "reserved_topic"),
    () => old.event("prices", 2, 2),
  ]) {
    online();
    const { id } = old.takeOne("$ping");
    mock.timers.tick(400);
    answer(id);
    mock.timers.tick(5_000);
    await settle();
    assert.deepEqual([sockets.length, old.closedWith, state().state], [0, undefined, "connected"]);
  }
});

test("a network that is only slow loses nothing", async (t) => {
  const { old, online, socket, heard, state } = await silent(t);
  online();
  const { id } = old.takeOne("$ping");
  mock.timers.tick(500);
  const next = await socket();
  old.reply(id);
  next.onopen?.();
  await settle();
  assert.deepEqual([next.take(), next.closedWith, old.closedWith], [[], 1000, undefined]);
  old.event("prices", 2, 2);
  assert.deepEqual([heard, state().state], [[2], "connected"]);
});

test("a try that hangs is begun anew by a page that wakes", async (t) => {
  const { old, online, socket, sockets, state } = await silent(t);
  old.drop();
  mock.timers.tick(Number(state().retryAt) - Date.now());
  const hung = await socket();
  mock.timers.tick(2_900);
  online();
  assert.equal(hung.closedWith, undefined);
  mock.timers.tick(100);
  online();
  assert.equal(hung.closedWith, 1000);
  const next = await socket();
  online();
  assert.equal(sockets.length, 0);
  await next.greet();
  assert.equal(state().state, "connected");
});
