import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { items } from "../src/index.js";
import { connected, settle } from "./fake.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
});

/** A connection with a topic, whose server asks it to move; `old` and `next` are its two sockets. */
async function draining() {
  const parts = await connected();
  const { live, server: old } = parts;
  const states: string[] = [];
  live.connection.subscribe(() => states.push(live.connection.getSnapshot().state));
  const heard: number[] = [];
  const prices = live.subscribe("prices", (price) => heard.push(price), { state: items() });
  old.accept("e", 1, { snapshot: [1] });
  old.receive({ topic: "$drain", data: { deadline_ms: 10_000 } });
  const next = await parts.socket();
  return { ...parts, old, next, states, heard, prices };
}

test("a page that moves to another node is connected all the time, and has each event once", async () => {
  const { live, old, next, states, heard, prices, state, errors } = await draining();
  old.event("prices", 2, 2);
  const sent = live.publish("chat:a", { text: "x" });
  const publish = old.takeOne("chat:a");
  await next.greet({ session: "s2" });
  assert.equal(state().session, "s2");
  const asked = next.takeOne("$subscribe");
  assert.deepEqual(asked.data, { topic: "prices", since: { epoch: "e", offset: 2 }, snapshot: true });
  old.event("prices", 3, 3);
  const call = live.call("ping", null);
  assert.deepEqual([...old.take(), ...next.take()], [], "it waits");
  next.reply(asked.id, { epoch: "e", offset: 2, head: 4, recovered: true });
  next.event("prices", 3, 3);
  next.event("prices", 4, 4);
  old.event("prices", 4, 4);
  assert.deepEqual(heard, [2, 3, 4]);
  assert.equal(old.closedWith, undefined, "it owes an answer");
  old.reply(publish.id, { epoch: "c", offset: 9 });
  assert.deepEqual(await sent, { epoch: "c", offset: 9 });
  assert.equal(old.closedWith, 1000);
  next.reply(next.takeOne("$call").id);
  assert.equal(await call, null);
  assert.deepEqual(prices.state.getSnapshot().value, [1, 2, 3, 4]);
  assert.equal(prices.status.getSnapshot().state, "live");
  assert(states.every((state) => state === "connected"));
  assert.deepEqual(errors, []);
  live.close();
  assert.equal(next.closedWith, 1000);
});

test("an answer of the old server is not taken for one of the new", async () => {
  const { live, old, next } = await draining();
  await next.greet();
  const asked = next.takeOne("$subscribe");
  const sent = live.call("ping", null);
  old.reply(asked.id, { epoch: "e", offset: 1, head: 1, recovered: true });
  assert.equal(old.closedWith, undefined);
  next.reply(asked.id, { epoch: "e", offset: 1, head: 1, recovered: true });
  assert.equal(old.closedWith, 1000);
  next.reply(next.takeOne("$call").id);
  await sent;
  live.close();
});

test("where the new server has not what was missed, its snapshot replaces the state", async () => {
  const { live, next, prices } = await draining();
  await next.greet();
  next.accept("other", 7, { recovered: false, snapshot: [6, 7] });
  next.event("prices", 8, 8);
  const { value, recovered } = prices.state.getSnapshot();
  assert.deepEqual([value, recovered], [[6, 7, 8], false]);
  live.close();
});

test("a new server that cannot be had leaves the page with the old one", async () => {
  const { live, old, next, states, heard } = await draining();
  next.drop(1006);
  old.event("prices", 2, 2);
  const sent = live.publish("chat:a", { text: "x" });
  old.reply(old.takeOne("chat:a").id, { epoch: "c", offset: 1 });
  await sent;
  await settle();
  assert.deepEqual(heard, [2]);
  assert(states.every((state) => state === "connected"));
  live.close();
});
