import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { presence } from "../src/index.js";
import { connected, reconnect, settle } from "./fake.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
});

const here = { status: "here" };
const away = { status: "away" };

test("members come with a snapshot; who joins, changes and leaves follows", async () => {
  const { live, server } = await connected();
  const people = presence(live, "chat:a");
  let changes = 0;
  people.subscribe(() => changes++);
  assert.equal(people.getSnapshot(), undefined);
  const { data } = server.accept("p", 3, { snapshot: { ann: here } });
  assert.deepEqual(data, { topic: "$presence:chat:a", snapshot: true });
  const first = people.getSnapshot();
  assert.deepEqual(first, { members: new Map([["ann", here]]), count: 1 });
  assert.equal(people.getSnapshot(), first);
  server.event("$presence:chat:a", 4, { joined: { bob: here, ann: away }, left: [] });
  assert.deepEqual(people.getSnapshot(), { members: new Map([["ann", away], ["bob", here]]), count: 2 });
  server.event("$presence:chat:a", 5, { left: ["ann", "nobody"] });
  assert.deepEqual(people.getSnapshot(), { members: new Map([["bob", here]]), count: 1 });
  assert.equal(first?.members.size, 1, "what was read does not change");
  assert.equal(changes, 3);
  people.close();
  assert.equal(people.status.getSnapshot().state, "closed");
  assert.deepEqual(server.takeOne("$unsubscribe").data, { topic: "$presence:chat:a" });
  assert.deepEqual([...(people.getSnapshot()?.members.keys() ?? [])], ["bob"]);
  live.close();
});

test("a topic that only counts says how many there are", async () => {
  const { live, server } = await connected();
  const people = presence(live, "chat:a");
  server.accept("p", 3, { snapshot: 5_210 });
  assert.deepEqual(people.getSnapshot(), { members: new Map(), count: 5_210 });
  server.event("$presence:chat:a", 4, 5_211);
  assert.equal(people.getSnapshot()?.count, 5_211);
  live.close();
});

test("a member of the name count is a member", async () => {
  const { live, server } = await connected();
  const people = presence(live, "chat:a");
  server.accept("p", 3, { snapshot: { count: 7 } });
  assert.deepEqual(people.getSnapshot(), { members: new Map([["count", 7]]), count: 1 });
  server.event("$presence:chat:a", 4, { joined: { count: 8 }, count: 5 });
  assert.deepEqual(people.getSnapshot(), { members: new Map([["count", 8]]), count: 1 });
  live.close();
});

test("after a lost connection the members are whole again, recovered or anew", async () => {
  const parts = await connected();
  const { live, server } = parts;
  const people = presence(live, "chat:a");
  server.accept("p", 3, { snapshot: { ann: here } });
  const next = await reconnect(parts, server);
  next.accept("p", 3, { recovered: true });
  next.event("$presence:chat:a", 4, { joined: { bob: here } });
  assert.deepEqual([...(people.getSnapshot()?.members.keys() ?? [])], ["ann", "bob"]);
  const last = await reconnect(parts, next);
  last.accept("q", 1, { recovered: false, snapshot: { cid: here } });
  assert.deepEqual([...(people.getSnapshot()?.members.keys() ?? [])], ["cid"]);
  live.close();
});

test("a refusal is in the status, and what no server sends harms nothing", async () => {
  const { live, server, errors } = await connected();
  const people = presence(live, "chat:a");
  server.accept("p", 0);
  assert.deepEqual(people.getSnapshot(), { members: new Map(), count: 0 });
  for (const [index, data] of [null, 5, [], { joined: null, left: 7 }, { joined: { ann: here } }].entries()) {
    server.event("$presence:chat:a", index + 1, data);
  }
  assert.deepEqual([...(people.getSnapshot()?.members.keys() ?? [])], ["ann"]);
  const refused = presence(live, "chat:b");
  refused.status.subscribe(() => {});
  server.error(server.takeOne("$subscribe").id, 201, "forbidden");
  assert.equal(refused.status.getSnapshot().error?.name, "forbidden");
  await settle();
  assert.deepEqual(errors, []);
  assert.throws(() => presence(live, "$presence:chat:a" as "chat:a"), { name: "invalid_topic" });
  live.close();
});
