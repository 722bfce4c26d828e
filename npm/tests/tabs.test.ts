import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { connect as connectAlone, type ConnectOptions, type Gap, items, stream } from "../src/index.js";
import { share } from "../src/share.js";
import { connect } from "../src/tabs.js";
import { schema, settle } from "./fake.js";
import { ModelServer } from "./model-server.js";
import { FakeTab, World } from "./world.js";

let world: World;
let server: ModelServer;
let opened: { close(): void }[] = [];

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
  world = new World(1);
  mock.method(Math, "random", world.random);
  server = new ModelServer(world);
});
afterEach(() => {
  for (const live of opened.splice(0)) live.close();
  mock.restoreAll();
});

/** Waits for what is not of this world, such as a digest or the core's being loaded. */
async function until(is: () => boolean): Promise<void> {
  while (!is()) {
    await settle();
    await world.rest();
  }
}

/** A tab with a connection, which takes part. */
async function open(options: Partial<ConnectOptions> = {}, shareAs = "ann") {
  const tab = new FakeTab(world);
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const all = { url: "wss://example.test/ws", WebSocket: server.socketOf(tab), onError, ...options };
  const live = share(tab, connectAlone, schema, all, shareAs);
  opened.push(live);
  await tab.joined;
  await world.rest();
  return { tab, live, errors, state: () => live.connection.getSnapshot().state };
}

/** The events of a topic, as a tab gets them. */
async function listen({ live }: Awaited<ReturnType<typeof open>>, topic: `chat:${string}` = "chat:a") {
  const heard: unknown[] = [];
  const gaps: Gap[] = [];
  const subscription = live.subscribe(topic, (event) => heard.push(event), { onGap: (gap) => gaps.push(gap) });
  await world.rest();
  return { heard, gaps, subscription };
}

const said = (text: string) => ({ user: "ann", text });

test("tabs of one user share one session, whose topics are subscribed once", async () => {
  const tabs = [await open(), await open(), await open()];
  assert.equal(server.open.length, 1);
  for (const { state } of tabs) assert.equal(state(), "connected");
  const rooms = await Promise.all(tabs.map((tab) => listen(tab)));
  server.publish("chat:a", said("one"));
  await world.rest();
  for (const { heard } of rooms) assert.deepEqual(heard, [said("one")]);
  assert.deepEqual(server.open[0]?.frames.map(({ topic }) => topic), ["$subscribe"]);
});

test("another user, URL or schema is another session", async () => {
  await open();
  await open({}, "ben");
  await open({ url: "wss://example.test/other" });
  assert.equal(server.open.length, 3);
});

test("a tab gets the events of its own topics only, and the last to leave one ends it", async () => {
  const ann = await open();
  const ben = await open();
  const a = await listen(ann, "chat:a");
  const alsoA = await listen(ben, "chat:a");
  const b = await listen(ben, "chat:b");
  server.publish("chat:b", said("b"));
  await world.rest();
  assert.deepEqual([a.heard, alsoA.heard, b.heard], [[], [], [said("b")]]);
  const session = server.open[0];
  a.subscription.close();
  await world.rest();
  assert.deepEqual([...(session?.subscriptions ?? [])].sort(), ["chat:a", "chat:b"]);
  alsoA.subscription.close();
  await world.rest();
  assert.deepEqual([...(session?.subscriptions ?? [])], ["chat:b"]);
});

test("publishes, calls and history go to the tab that asked", async () => {
  const ann = await open();
  const ben = await open();
  const sent = ben.live.publish("chat:a", { text: "x" });
  const called = ben.live.call("add", [1, 2]);
  const other = ann.live.call("add", [3, 4]);
  await world.rest();
  assert.equal((await sent).offset, server.log("chat:a")[0]?.offset);
  assert.deepEqual(await called, { echo: [1, 2] });
  assert.deepEqual(await other, { echo: [3, 4] });
});

test("what a call streams goes to the tab that asked, as far as that has room", async () => {
  const [ann, ben, eve] = [await open(), await open(), await open()];
  const streams = [ann, ben, ben].map(({ live }) => stream(live, "count", { to: 10 }, { buffer: 2 }));
  await world.rest();
  const session = server.open[0];
  assert.deepEqual([...(session?.counts.values() ?? [])].map(({ at }) => at), [2, 2, 2], "there is room for two");
  for (const items of streams.slice(0, 2)) {
    const heard: number[] = [];
    const loop = (async () => {
      for await (const item of items) heard.push(item);
    })();
    for (let n = 0; n < 10; n++) await world.rest();
    await loop;
    assert.deepEqual(heard, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  }
  streams[2]?.close();
  await world.rest();
  assert.equal(session?.counts.size, 0);
  stream(eve.live, "count", { to: 10 }, { buffer: 2 });
  await world.rest();
  assert.equal(session?.counts.size, 1);
  eve.tab.kill();
  await world.rest();
  assert.equal(session?.counts.size, 0, "a tab that is killed wants nothing more");
  assert.equal(server.open.length, 1);
});

test("a leader that is killed is followed by another, and nothing is lost or doubled", async () => {
  const [first, second, third] = [await open(), await open(), await open()];
  const rooms = [await listen(second), await listen(third)];
  server.publish("chat:a", said("one"));
  await world.rest();
  first.tab.kill();
  server.publish("chat:a", said("two"));
  await world.rest();
  assert.equal(server.open.length, 1);
  for (const { heard, gaps } of rooms) {
    assert.deepEqual(heard, [said("one"), said("two")]);
    assert.deepEqual(gaps, []);
  }
  assert.deepEqual([second.state(), third.state()], ["connected", "connected"]);
});

test("a leader that is closed, or leaves the page, hands over", async () => {
  const [first, second, third] = [await open(), await open(), await open()];
  const { heard } = await listen(third);
  first.live.close();
  await world.rest();
  server.publish("chat:a", said("one"));
  await world.rest();
  second.tab.window.dispatchEvent(new Event("pagehide"));
  await world.pass(1_100);
  server.publish("chat:a", said("two"));
  await world.rest();
  assert.deepEqual(heard, [said("one"), said("two")]);
  assert.equal(server.open.length, 1);
  assert.equal(server.owners.get(server.open[0] as never), third.tab);
});

test("a page that comes back from the back-forward cache goes on where it was", async () => {
  const [first, second] = [await open(), await open()];
  const { heard } = await listen(first);
  await first.tab.freeze();
  await world.rest();
  assert.equal(server.owners.get(server.open[0] as never), second.tab);
  server.publish("chat:a", said("slept"));
  await world.rest();
  assert.deepEqual(heard, []);
  first.tab.resume();
  await world.rest();
  assert.deepEqual(heard, [said("slept")]);
  assert.equal(server.open.length, 1);
});

test("a page that sleeps holds no lock and no channel", async () => {
  const { tab } = await open();
  await open();
  await world.rest();
  await tab.freeze();
  await world.rest();
  assert.equal([...world.channels].filter((channel) => channel.tab === tab).length, 0);
  tab.resume();
});

test("a leader that hangs loses the lock to a tab that is shown, and closes its socket when it learns so", async () => {
  const [first, second, third] = [await open(), await open(), await open()];
  third.tab.show(false);
  const rooms = [await listen(second), await listen(third)];
  await world.pass(2_000);
  assert.equal(server.owners.get(server.open[0] as never), first.tab);
  first.tab.hang();
  server.publish("chat:a", said("missed"));
  await world.pass(1_800);
  for (const { heard } of rooms) assert.deepEqual(heard, [said("missed")]);
  assert.deepEqual([second.state(), third.state()], ["connected", "connected"]);
  assert.equal(server.open.length, 2, "the server does not know yet");
  first.tab.goOn();
  await world.rest();
  assert.deepEqual(server.open.map((session) => server.owners.get(session)), [second.tab]);
  assert.equal(first.state(), "connected");
});

test("tabs that are not shown take no lock", async () => {
  const [first, second] = [await open(), await open()];
  second.tab.show(false);
  first.tab.hang();
  await world.pass(10_000);
  assert.equal(server.owners.get(server.open[0] as never), first.tab);
  second.tab.show(true);
  await world.pass(1_300);
  assert.equal(second.state(), "connected");
  assert(server.open.some((session) => server.owners.get(session) === second.tab));
  first.tab.goOn();
});

test("a tab that is killed leaves its topics, and its calls are cancelled", async () => {
  const [first, second] = [await open(), await open()];
  await listen(first, "chat:a");
  await listen(second, "chat:b");
  second.tab.kill();
  await world.rest();
  assert.deepEqual([...(server.open[0]?.subscriptions ?? [])], ["chat:a"]);
});

test("a later tab's state is whole: what comes beside its snapshot is neither lost nor doubled", async () => {
  const [first, second] = [await open(), await open()];
  await listen(first);
  server.publish("chat:a", said("one"));
  await world.rest();
  const room = second.live.subscribe("chat:a", { state: items() });
  for (let n = 0; n < 20; n++) {
    await world.step();
    server.publish("chat:a", said(`${n}`));
  }
  await world.rest();
  assert.deepEqual(room.state.getSnapshot().value, server.log("chat:a").map(({ data }) => data));
});

test("a tab says what it has taken, and is not cut off for much over time", async () => {
  const [first, second] = [await open(), await open()];
  const { heard } = await listen(second);
  for (let n = 0; n < 24; n++) {
    server.publish("chat:a", said("x".repeat(1024 * 1024)));
    await world.rest();
  }
  assert.equal(heard.length, 24);
  assert.equal(second.live.connection.getSnapshot().code, 0);
  assert.equal(first.state(), "connected");
});

test("a refusal concerns who asked", async () => {
  const [first, second] = [await open(), await open()];
  const { heard } = await listen(first);
  await assert.rejects(Promise.all([second.live.subscribe("chat:secret", () => {}).ready, world.rest()]), { name: "forbidden" });
  server.publish("chat:a", said("one"));
  await world.rest();
  assert.deepEqual(heard, [said("one")]);
});

test("of several wishes the last counts, and goes with its tab", async () => {
  const [first, second] = [await open(), await open()];
  const wish = () => server.open[0]?.wishes.get("chat:a");
  const here = first.live.subscribe("chat:a", () => {}, { presence: { status: "here" } });
  await world.rest();
  const watching = await listen(second);
  assert.deepEqual(wish(), { status: "here" });
  const away = second.live.subscribe("chat:a", () => {}, { presence: { status: "away" } });
  await world.rest();
  assert.deepEqual(wish(), { status: "away" });
  void here.setWish({ status: "busy" });
  await world.rest();
  assert.deepEqual(wish(), { status: "busy" });
  here.close();
  await world.rest();
  assert.deepEqual(wish(), { status: "away" });
  watching.subscription.close();
  away.close();
  await world.rest();
  assert.equal(wish(), undefined);
});

test("the last wish gone, the user is no member, though a tab goes on", async () => {
  const [first, second] = [await open(), await open()];
  const { heard } = await listen(first);
  const here = second.live.subscribe("chat:a", () => {}, { presence: { status: "here" } });
  await world.rest();
  here.close();
  await world.rest();
  assert.equal(server.open[0]?.wishes.has("chat:a"), false);
  server.publish("chat:a", said("one"));
  await world.rest();
  assert.deepEqual(heard, [said("one")]);
});

test("a lost connection is tried by tabs that are shown, and brings all back", async () => {
  const tabs = [await open(), await open(), await open()];
  tabs[2]?.tab.show(false);
  const rooms = await Promise.all(tabs.map((tab) => listen(tab)));
  server.isUp = false;
  for (const session of server.open) session.drop();
  await world.pass(3_000);
  for (const { state } of tabs) assert.notEqual(state(), "connected");
  server.publish("chat:a", said("missed"));
  server.isUp = true;
  await world.pass(21_000);
  for (const { state } of tabs) assert.equal(state(), "connected");
  for (const { heard } of rooms) assert.deepEqual(heard, [said("missed")]);
  assert.equal(server.open.length, 1);
});

test("a tab that waits is told when the server is back, whatever its own timer says", async () => {
  const [first, second] = [await open(), await open()];
  second.tab.show(false);
  server.isUp = false;
  server.open[0]?.drop();
  await world.pass(40_000);
  while (first.state() !== "waiting" || second.state() !== "waiting") await world.pass(50);
  server.isUp = true;
  first.live.connection.retry();
  await world.rest();
  assert.deepEqual([first.state(), second.state()], ["connected", "connected"]);
});

test("a code that says stop stops every tab", async () => {
  const tabs = [await open(), await open()];
  server.open[0]?.drop(4204, "banned");
  await world.pass(1_000);
  for (const { live } of tabs) {
    assert.equal(live.connection.getSnapshot().state, "closed");
    assert.equal(live.connection.getSnapshot().reason, "banned");
  }
});

test("a drain moves every tab, and none misses an event", async () => {
  const tabs = [await open(), await open(), await open()];
  const rooms = await Promise.all(tabs.map((tab) => listen(tab)));
  const [old] = server.open;
  old?.drain(10_000);
  for (let n = 0; n < 40; n++) {
    server.publish("chat:a", n);
    await world.step();
  }
  await world.rest();
  assert.equal(server.open.length, 1);
  assert.notEqual(server.open[0], old);
  const sent = server.log("chat:a").map(({ data }) => data);
  for (const { heard, gaps } of rooms) {
    assert.deepEqual(heard, sent);
    assert.deepEqual(gaps, []);
  }
  for (const { state } of tabs) assert.equal(state(), "connected");
});

test("all leaders are one client instance to the server, whoever led before", async () => {
  const [first, second] = [await open(), await open()];
  const before = server.open[0]?.hello?.client;
  assert.match(String(before), /^[0-9a-f]{32}$/);
  first.tab.kill();
  await world.rest();
  assert.equal(server.open[0]?.hello?.client, before);
  const third = await open();
  second.tab.hang();
  await world.pass(1_800);
  assert.equal(server.open.find((session) => server.owners.get(session) === third.tab)?.hello?.client, before);
  second.tab.goOn();
});

test("a publish that another client instance sent is not sent again", async () => {
  const first = await open();
  await listen(first);
  const sent = first.live.publish("chat:a", { text: "x" });
  const unknown = assert.rejects(sent, { name: "unknown" });
  while (server.log("chat:a").length === 0) await world.step();
  // Asleep before it heard the answer; whoever comes now knows nothing of it.
  await first.tab.freeze();
  await world.rest();
  const second = await open();
  first.tab.resume();
  await world.rest();
  await unknown;
  assert.equal(server.log("chat:a").length, 1);
  assert.equal(server.owners.get(server.open[0] as never), second.tab);
  const again = first.live.publish("chat:a", { text: "y" });
  await world.rest();
  await again;
});

test("messages to the session reach every tab; pings are answered once", async () => {
  const tabs = [await open(), await open()];
  const heard: unknown[] = [];
  for (const { live } of tabs) live.on("greeting", (data) => heard.push(data));
  server.open[0]?.send({ topic: "greeting", data: "hello" });
  server.open[0]?.send({ topic: "$ping" });
  await world.rest();
  assert.deepEqual(heard, ["hello", "hello"]);
  assert.deepEqual(server.open[0]?.frames.map(({ topic }) => topic), ["$pong"]);
});

test("a server that is silent is given up, and all come back", async () => {
  const tabs = [await open(), await open()];
  const [old] = server.open;
  await world.pass(36_000);
  assert.equal(old?.isOpen, false);
  for (const { state } of tabs) assert.equal(state(), "connected");
});

test("a topic that begins anew is told to every tab", async () => {
  const [first, second] = [await open(), await open()];
  server.publish("chat:a", said("one"));
  const rooms = [await listen(first), await listen(second)];
  server.publish("chat:a", said("two"));
  await world.rest();
  server.restart("chat:a");
  await world.pass(1_000);
  server.publish("chat:a", said("new"));
  await world.rest();
  for (const { heard, gaps } of rooms) {
    assert.deepEqual(heard, [said("two"), said("new")]);
    assert.deepEqual(gaps.map(({ cause }) => cause), ["new_epoch"]);
  }
});

test("without the APIs a tab has a socket of its own", { timeout: 10_000 }, async () => {
  const tab = new FakeTab(world);
  const all = { url: "wss://example.test/ws", WebSocket: server.socketOf(tab) };
  opened.push(share(undefined, connectAlone, schema, all, "ann"), share(undefined, connectAlone, schema, all, "ann"));
  await until(() => server.open.length === 2);
});

test("where locks are refused a tab is on its own", { timeout: 10_000 }, async () => {
  const refuse = () => Promise.reject(new DOMException("no", "SecurityError"));
  const tab = new FakeTab(world);
  const locks = { request: refuse, query: refuse } as unknown as LockManager;
  const page = { locks, BroadcastChannel: tab.BroadcastChannel, document: tab.document, window: tab.window };
  const live = share(page, connectAlone, schema, { url: "wss://example.test/ws", WebSocket: server.socketOf(tab) }, "ann");
  opened.push(live);
  await until(() => live.connection.getSnapshot().state === "connected");
});

test("with whom to share has to be said", () => {
  for (const shareAs of ["", undefined, 7]) {
    assert.throws(() => connect(schema, { url: "wss://example.test", shareAs: shareAs as string }), /shareAs/);
  }
});
