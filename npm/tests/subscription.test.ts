import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { ErrorCode, type EventFrame, type Gap, items } from "../src/index.js";
import { coreSource } from "../src/core.js";
import { Driver } from "../src/driver.js";
import { inlined } from "../src/inlined.js";
import { Member } from "../src/member.js";
import { connected, FakeSocket, fixture, settle } from "./fake.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
});

const say = (text: string) => ({ user: "ann", text });

test("a subscription made before there is a connection is asked for once there is", async () => {
  const { live, socket } = fixture();
  const heard: string[] = [];
  const room = live.subscribe("chat:a", (message) => heard.push(message.text));
  assert.equal(room.status.getSnapshot().state, "subscribing");
  const server = await socket();
  await server.greet();
  const { data } = server.accept("e1", 41);
  assert.deepEqual(data, { topic: "chat:a" });
  assert.deepEqual(await room.ready, { epoch: "e1", offset: 41 });
  assert.equal(room.status.getSnapshot().state, "live");
  server.event("chat:a", 42, say("hi"));
  assert.deepEqual(heard, ["hi"]);
  live.close();
});

test("handlers get the data and the frame, of their topic only", async () => {
  const { live, server } = await connected();
  const heard: [string, EventFrame][] = [];
  live.subscribe("chat:a", (message, frame) => heard.push([message.text, frame]));
  server.accept("e1", 7);
  live.subscribe("prices", () => assert.fail("another topic"));
  server.accept("e2", 7);
  server.event("chat:a", 9, say("x"), 7);
  server.event("chat:b", 8, say("y"));
  assert.equal(heard.length, 1);
  assert.equal(heard[0]?.[0], "x");
  const { topic, offset, prev } = heard[0]?.[1] as EventFrame;
  assert.deepEqual({ topic, offset, prev }, { topic: "chat:a", offset: 9, prev: 7 });
  live.close();
});

test("repeats are dropped and a gap is recovered from the last seen", async () => {
  const { live, server } = await connected();
  const heard: string[] = [];
  live.subscribe("chat:a", ({ text }) => heard.push(text));
  server.accept("e1", 1);
  server.event("chat:a", 2, say("2"));
  server.event("chat:a", 2, say("2 again"));
  server.event("chat:a", 4, say("4"));
  const { data } = server.accept("e1", 2, { recovered: true });
  assert.deepEqual(data, { topic: "chat:a", since: { epoch: "e1", offset: 2 } });
  server.event("chat:a", 3, say("3"));
  server.event("chat:a", 4, say("4"));
  assert.deepEqual(heard, ["2", "3", "4"]);
  live.close();
});

test("a reconnect goes on where it was", async () => {
  const { live, server, socket, state } = await connected();
  const heard: string[] = [];
  const room = live.subscribe("chat:a", ({ text }) => heard.push(text));
  server.accept("e1", 1);
  server.event("chat:a", 2, say("2"));
  server.drop();
  assert.equal(room.status.getSnapshot().state, "subscribing");
  mock.timers.tick(Number(state().retryAt) - Date.now());
  const next = await socket();
  await next.greet();
  const { data } = next.accept("e1", 2, { recovered: true });
  assert.deepEqual(data, { topic: "chat:a", since: { epoch: "e1", offset: 2 } });
  next.event("chat:a", 3, say("3"));
  assert.deepEqual(heard, ["2", "3"]);
  assert.deepEqual(room.status.getSnapshot(), {
    state: "live",
    position: { epoch: "e1", offset: 2 },
    recovered: true,
    error: undefined,
  });
  live.close();
});

test("what cannot be recovered is told, within an epoch and across", async () => {
  const gaps: Gap[] = [];
  const { live, server, socket, state } = await connected();
  const room = live.subscribe("chat:a", () => {}, { onGap: (gap) => gaps.push(gap) });
  server.accept("e1", 2);
  server.receive({ topic: "$gap", data: { topic: "chat:a", after: 2, to: 5, cause: "dropped" } });
  server.event("chat:a", 6, say("6"));
  server.drop();
  mock.timers.tick(Number(state().retryAt) - Date.now());
  const next = await socket();
  await next.greet();
  next.accept("e2", 1, { recovered: false });
  assert.equal(room.status.getSnapshot().recovered, false);
  assert.deepEqual(gaps, [
    { after: 2, to: 5, cause: "dropped" },
    { after: 6, to: 1, cause: "new_epoch" },
  ]);
  live.close();
});

test("equal subscriptions share one on the wire; the last to close ends it", async () => {
  const { live, server } = await connected();
  const heard: string[] = [];
  const one = live.subscribe("chat:a", () => heard.push("one"));
  server.accept("e1", 0);
  const two = live.subscribe("chat:a", () => heard.push("two"));
  assert.deepEqual(await two.ready, { epoch: "e1", offset: 0 });
  server.event("chat:a", 1, say(""));
  one.close();
  one.close();
  server.event("chat:a", 2, say(""));
  assert.deepEqual(server.take(), []);
  two.close();
  const { data } = server.takeOne("$unsubscribe");
  assert.deepEqual(data, { topic: "chat:a" });
  assert.deepEqual(heard, ["one", "two", "two"]);
  live.close();
});

test("a topic may be left and joined again", async () => {
  const { live, server } = await connected();
  live.subscribe("chat:a", () => {}).close();
  server.take();
  const heard: number[] = [];
  // Gets the number of the topic that was left.
  live.subscribe("prices", (price) => heard.push(price));
  server.accept("e", 0);
  server.event("chat:a", 1, say("late"));
  server.event("prices", 1, 5);
  assert.deepEqual(heard, [5]);
  live.close();
});

test("a refused subscription is a typed error, and is not asked for again", async () => {
  const { live, server, errors } = await connected();
  const room = live.subscribe("chat:a", () => {});
  const refused = assert.rejects(room.ready, {
    code: ErrorCode.forbidden,
    name: "forbidden",
    message: "only members read this room",
  });
  server.error(server.takeOne("$subscribe").id, 201, "forbidden", "only members read this room");
  await refused;
  assert.equal(room.status.getSnapshot().state, "closed");
  assert.equal(room.status.getSnapshot().error?.code, ErrorCode.forbidden);
  room.close();
  assert.deepEqual(server.take(), []);
  assert.deepEqual(errors, [], "it was heard");
  live.close();
});

test("a refusal that nobody waits for is reported", async () => {
  const { live, server, errors } = await connected();
  live.subscribe("chat:a", () => {});
  server.error(server.takeOne("$subscribe").id, 105, "incompatible");
  await settle();
  assert.deepEqual(errors.map(String), ["incompatible: incompatible"]);
  live.close();
});

test("a server that cannot now is asked again", async () => {
  const { live, server } = await connected();
  const room = live.subscribe("chat:a", () => {});
  server.error(server.takeOne("$subscribe").id, 303, "unavailable");
  assert.equal(room.status.getSnapshot().state, "subscribing");
  assert.equal(room.status.getSnapshot().error?.name, "unavailable");
  mock.timers.tick(20_000);
  server.accept("e", 3);
  assert.deepEqual(await room.ready, { epoch: "e", offset: 3 });
  assert.equal(room.status.getSnapshot().error, undefined);
  live.close();
});

test("a subscription that the server ends is closed with its code", async () => {
  const { live, server, errors } = await connected();
  const room = live.subscribe("chat:a", () => assert.fail("ended"));
  server.accept("e", 0);
  server.receive({ topic: "$unsubscribed", data: { topic: "chat:a", code: 201 } });
  assert.equal(room.status.getSnapshot().state, "closed");
  assert.equal(room.status.getSnapshot().error?.name, "forbidden");
  server.event("chat:a", 1, say(""));
  await settle();
  assert.deepEqual(errors.map((error) => (error as Error).name), ["forbidden"]);
  live.close();
});

test("a handler that throws is reported and harms nothing else", async () => {
  const { live, server, errors } = await connected();
  const heard: string[] = [];
  const failure = new Error("mine");
  live.subscribe("chat:a", () => {
    throw failure;
  });
  live.subscribe("chat:a", ({ text }) => heard.push(text));
  server.accept("e", 0);
  server.event("chat:a", 1, say("1"));
  server.event("chat:a", 2, say("2"));
  assert.deepEqual(heard, ["1", "2"]);
  assert.deepEqual(errors, [failure, failure]);
  live.close();
});

test("what listeners and `onGap` throw is reported too, and what `onError` itself throws goes to the console", async (t) => {
  const parts = await connected();
  const { live, server, errors } = parts;
  const failures = ["gap", "status", "state", "connection"].map((text) => new Error(text));
  const [gap, status, state, connection] = failures;
  const fail = (error?: Error) => () => {
    throw error;
  };
  const room = live.subscribe("chat:a", { state: items(), onGap: fail(gap) });
  server.accept("e", 0, { snapshot: [] });
  room.status.subscribe(fail(status));
  room.state.subscribe(fail(state));
  live.connection.subscribe(fail(connection));
  server.receive({ topic: "$gap", data: { topic: "chat:a", after: 0, to: 2, cause: "dropped" } });
  server.drop();
  await settle();
  assert.deepEqual(new Set(errors), new Set(failures));
  live.close();

  const own = new Error("of the sink");
  const console = t.mock.method(globalThis.console, "error", () => {});
  const other = await connected({ onError: fail(own) });
  other.live.connection.subscribe(fail(connection));
  other.live.close();
  await settle();
  assert.deepEqual(console.mock.calls.map(({ arguments: [error] }) => error), [own]);
});

test("handlers may subscribe, close and publish", async () => {
  const { live, server } = await connected();
  const heard: string[] = [];
  const outer = live.subscribe("chat:a", () => {
    outer.close();
    second.close();
    live.subscribe("prices", (price) => heard.push(`price ${price}`));
    void live.publish("chat:a", { text: "from within" }).catch(() => {});
  });
  const second = live.subscribe("chat:a", () => heard.push("a closed subscription"));
  server.accept("e", 0);
  server.event("chat:a", 1, say(""));
  const frames = server.take();
  assert.deepEqual(frames.map(({ topic }) => topic), ["$unsubscribe", "$subscribe", "chat:a"]);
  server.reply(frames[1]?.id, { epoch: "p", offset: 0, head: 0 });
  server.event("prices", 1, 3);
  assert.deepEqual(heard, ["price 3"]);
  live.close();
});

test("a subscription closed by the gap it hears of gets no event of another topic", async () => {
  const { live, server } = await connected();
  const room = live.subscribe("chat:a", () => assert.fail("closed"), {
    onGap: () => {
      room.close();
      live.subscribe("prices", () => assert.fail("an event of chat:a"));
    },
  });
  server.accept("e", 0);
  // A hole that comes again is asked for after a delay, and at last given up: the gap and the event come with one frame.
  for (let recoveries = 0; recoveries < 5; recoveries++) {
    server.event("chat:a", 10, say(""), 9);
    mock.timers.tick(10_000);
    server.accept("e", 0, { recovered: true });
  }
  server.event("chat:a", 10, say(""), 9);
  assert.equal(room.status.getSnapshot().state, "closed");
  live.close();
});

test("`using` closes a subscription", { skip: Symbol.dispose === undefined }, async () => {
  const { live, server } = await connected();
  const room = live.subscribe("chat:a", () => {});
  server.accept("e", 0);
  room[Symbol.dispose]();
  assert.equal(room.status.getSnapshot().state, "closed");
  live.close();
});

test("a signal closes a subscription, early and late, and is let go", async () => {
  const { live, server } = await connected();
  const gone = live.subscribe("chat:a", () => {}, { signal: AbortSignal.abort() });
  assert.equal(gone.status.getSnapshot().state, "closed");
  await assert.rejects(gone.ready, { name: "closed" });
  server.take();
  const leaving = new AbortController();
  const waiting = live.subscribe("chat:a", { signal: leaving.signal, state: items() });
  const loop = live.subscribe("prices", { signal: leaving.signal });
  const ended = (async () => {
    for await (const price of loop) assert.fail(String(price));
  })();
  const refused = assert.rejects(waiting.ready, { name: "closed" });
  server.take();
  leaving.abort();
  await Promise.all([refused, ended]);
  assert.deepEqual(server.take().map(({ topic }) => topic), ["$unsubscribe", "$unsubscribe"]);

  const { signal } = new AbortController();
  let listeners = 0;
  signal.addEventListener = () => void listeners++;
  signal.removeEventListener = () => void listeners--;
  const room = live.subscribe("chat:a", () => {}, { signal });
  assert.equal(listeners, 1);
  room.close();
  assert.equal(listeners, 0);
  live.close();
});

test("a wish that nobody waits for any more, or that takes too long, is given up", async () => {
  const { live, server } = await connected();
  const room = live.subscribe("chat:a", () => {}, { presence: { status: "here" } });
  server.accept("e", 0);
  const leaving = new AbortController();
  const given = assert.rejects(room.setWish({ status: "away" }, { signal: leaving.signal }), { name: "cancelled" });
  const late = assert.rejects(room.setWish({ status: "away" }, { timeout: 100 }), { name: "timeout" });
  leaving.abort();
  mock.timers.tick(100);
  await Promise.all([given, late]);
  live.close();
});

test("names that no server takes are refused at once", async () => {
  const { live, server } = await connected();
  for (const name of ["chat:\n", `chat:${"x".repeat(251)}`] as const) {
    assert.throws(() => live.subscribe(name, () => {}), { name: "invalid_topic" });
    await assert.rejects(live.publish(name, { text: "" }), { name: "invalid_topic" });
  }
  await assert.rejects(live.send("$hello", {}), { name: "invalid_topic" });
  assert.deepEqual(server.take(), []);
  live.close();
});

test("numbers of topics are free again once nobody subscribes", async () => {
  const driver = new Driver({ token: () => undefined, entries: {}, onError: (error) => assert.fail(String(error)) });
  const server = new FakeSocket("", []);
  let dialled = () => {};
  const dialling = new Promise<void>((resolve) => (dialled = resolve));
  await driver.begin(coreSource(inlined), (sink) => {
    server.onopen = () => sink.opened();
    server.onmessage = ({ data }) => sink.heard(data);
    dialled();
    return server;
  });
  await dialling;
  await server.greet();
  for (let n = 0; n < 10_000; n++) {
    const member = new Member(driver, `chat:${n}`, () => {});
    driver.enter(member);
    server.accept(`e${n}`, 0);
    member.close();
    server.takeOne("$unsubscribe");
  }
  assert.equal(driver.topics.names.intern("another"), 1);
  assert.equal(driver.topics.everyone().length, 0);
  driver.close();
});
