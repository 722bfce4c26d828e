import assert from "node:assert/strict";
import { test } from "node:test";
import { connected } from "./fake.js";

test("a loop gets every event from the subscribe on, and leaving it closes the subscription", async () => {
  const { live, server } = await connected();
  const prices = live.subscribe("prices");
  server.accept("e", 0);
  server.event("prices", 1, 10);
  server.event("prices", 2, 20);
  const heard: number[] = [];
  setImmediate(() => server.event("prices", 3, 30));
  for await (const price of prices) {
    heard.push(price);
    if (price === 30) break;
  }
  assert.deepEqual(heard, [10, 20, 30]);
  assert.equal(prices.status.getSnapshot().state, "closed");
  server.takeOne("$unsubscribe");
  live.close();
});

test("a closed subscription ends the loop after what came before", async () => {
  const { live, server } = await connected();
  const prices = live.subscribe("prices");
  server.accept("e", 0);
  server.event("prices", 1, 10);
  prices.close();
  const heard: number[] = [];
  for await (const price of prices) heard.push(price);
  assert.deepEqual(heard, [10]);
  live.close();
});

test("a refused subscription throws into the loop", async () => {
  const { live, server, errors } = await connected();
  const prices = live.subscribe("prices");
  const loop = (async () => {
    for await (const price of prices) assert.fail(String(price));
  })();
  server.error(server.takeOne("$subscribe").id, 201, "forbidden");
  await assert.rejects(loop, { name: "forbidden" });
  assert.deepEqual(errors, []);
  live.close();
});

test("a loop that falls behind gets what waited, then the loss by name", async () => {
  const { live, server } = await connected();
  const prices = live.subscribe("prices", { buffer: 3 });
  server.accept("e", 0);
  for (let offset = 1; offset <= 5; offset++) server.event("prices", offset, offset);
  server.takeOne("$unsubscribe");
  const heard: number[] = [];
  const loop = (async () => {
    for await (const price of prices) heard.push(price);
  })();
  await assert.rejects(loop, { name: "limit", message: "the loop over prices fell 3 events behind: all from offset 4 on are lost" });
  assert.deepEqual(heard, [1, 2, 3]);
  assert.deepEqual(await prices[Symbol.asyncIterator]().next(), { value: undefined, done: true });
  live.close();
});

test("readers that wait are served in order", async () => {
  const { live, server } = await connected();
  const reader = live.subscribe("prices")[Symbol.asyncIterator]();
  server.accept("e", 0);
  const waiting = [reader.next(), reader.next(), reader.next()];
  server.event("prices", 1, 1);
  server.event("prices", 2, 2);
  live.close();
  assert.deepEqual(await Promise.all(waiting), [
    { value: 1, done: false },
    { value: 2, done: false },
    { value: undefined, done: true },
  ]);
});
