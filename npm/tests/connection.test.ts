import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { CloseCode, connect, ErrorCode } from "../src/index.js";
import { connected, entries, fixture, settle } from "./fake.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
});

test("greets with version, identity, token and schema, and offers the subprotocol", async () => {
  const { live, socket, state } = fixture({ token: async () => "secret" });
  assert.equal(state().state, "idle");
  const server = await socket();
  assert.equal(server.url, "wss://example.test/ws");
  assert.deepEqual(server.protocols, ["tidewire.1"]);
  assert.equal(state().state, "connecting");
  const { data } = await server.greet();
  const { client, ...rest } = data ?? {};
  assert.match(String(client), /^[0-9a-f]{32}$/);
  assert.deepEqual(rest, { version: 1, token: "secret", schema: entries });
  assert.equal(state().state, "connected");
  assert.equal(state().session, "s1");
  live.close();
});

test("a hello without a token has none", async () => {
  const { live, socket } = fixture();
  const hello = await (await socket()).greet();
  assert(!("token" in (hello.data ?? {})));
  live.close();
});

test("entries that do not fit are named, and those that do are not", async () => {
  const verdicts = { "chat:{room}": "incompatible", prices: "compatible", other: "unknown", same: "same" };
  const { live, state } = await connected({}, { schema: verdicts });
  assert.deepEqual(state().incompatible, ["chat:{room}", "other"]);
  live.close();
});

test("an entry that does not fit is refused once by its name, and everything else goes on", async () => {
  const verdicts = { "chat:{room}": "incompatible", prices: "compatible" };
  const { live, server, errors, sockets, state } = await connected({}, { schema: verdicts });
  const room = live.subscribe("chat:a", () => {});
  const message = "client and server were built with different schemas of `chat:{room}`";
  const refused = assert.rejects(room.ready, { code: ErrorCode.incompatible, name: "incompatible", message });
  server.error(server.takeOne("$subscribe").id, 105, "incompatible", message);
  await refused;
  assert.equal(room.status.getSnapshot().state, "closed");
  const prices = live.subscribe("prices", () => {});
  server.accept("e", 3);
  await prices.ready;
  // Neither is it asked for again, nor is the connection given up for it.
  mock.timers.tick(20_000);
  await settle();
  assert.deepEqual(server.take(), []);
  assert.equal(state().state, "connected");
  assert.deepEqual([sockets.length, errors.length], [0, 0]);
  live.close();
});

test("waits after a loss and comes back with the same identity and a fresh token", async () => {
  let tokens = 0;
  const { live, socket, state } = fixture({ token: () => `t${++tokens}` });
  const first = await socket();
  const { data: before } = await first.greet();
  first.drop(1006);
  const waiting = state();
  assert.equal(waiting.state, "waiting");
  assert.equal(waiting.code, 1006);
  const retryAt = waiting.retryAt ?? Number.NaN;
  assert(retryAt >= Date.now() && retryAt <= Date.now() + 500, `within the first backoff: ${retryAt - Date.now()}`);
  mock.timers.tick(retryAt - Date.now());
  const second = await socket();
  assert.equal(state().state, "connecting");
  const { data: after } = await second.greet();
  assert.equal(after?.client, before?.client);
  assert.deepEqual([before?.token, after?.token], ["t1", "t2"]);
  assert.equal(state().state, "connected");
  live.close();
});

test("a close code that says stop is the end until the page acts, with code and reason", async () => {
  const { live, server, sockets, state } = await connected();
  server.drop(4204, "banned");
  assert.deepEqual({ ...state() }, { ...state(), state: "closed", code: CloseCode.kicked, reason: "banned" });
  await assert.rejects(live.publish("chat:a", { text: "x" }), {
    code: ErrorCode.not_sent,
    message: "there is no connection: it was not sent; the last one ended with 4204 (banned)",
  });
  mock.timers.tick(60_000);
  assert.equal(sockets.length, 0);
  live.close();
});

test("a page may try again after the end, and cut a wait short, but nothing after close", async () => {
  const { live, server, socket, sockets, state } = await connected();
  live.subscribe("chat:a", () => {});
  server.accept("e", 3);
  server.drop(4204, "banned");
  live.connection.retry();
  const next = await socket();
  await next.greet();
  assert.deepEqual(next.accept("e", 3, { recovered: true }).data, { topic: "chat:a", since: { epoch: "e", offset: 3 } });
  assert.equal(state().state, "connected");
  mock.timers.tick(1_000);
  next.drop();
  assert.equal(state().state, "waiting");
  live.connection.retry();
  await (await socket()).greet();
  live.connection.retry();
  assert.equal(state().state, "connected");
  live.close();
  live.connection.retry();
  await settle();
  assert.equal(state().state, "closed");
  assert.equal(sockets.length, 0);
});

test("a token is fetched anew in good time, and an identity that ends so is not lost", async () => {
  let tokens = 0;
  const { live, server, errors, state } = await connected({ token: () => `t${++tokens}` }, { token_ms: 60_000 });
  /** A server that has nothing to say but that it lives. */
  const wait = (ms: number) => {
    mock.timers.tick(ms);
    server.receive({ topic: "$ping" });
  };
  wait(30_000);
  wait(17_000);
  assert(server.take().every(({ topic }) => topic === "$pong"));
  mock.timers.tick(1_000);
  await settle();
  const { id, data } = server.takeOne("$token");
  assert.deepEqual(data, { token: "t2" });
  server.reply(id, { token_ms: 60_000 });
  wait(30_000);
  server.take();
  mock.timers.tick(18_000);
  await settle();
  assert.deepEqual(server.takeOne("$token").data, { token: "t3" });
  assert.equal(state().state, "connected");
  assert.deepEqual(errors, []);
  live.close();
});

test("a token that cannot be had for an identity that ends is reported, and the connection goes on", async () => {
  const failure = new Error("no session");
  let tokens = 0;
  const token = () => {
    if (++tokens > 1) throw failure;
    return "t1";
  };
  const { live, server, errors, state } = await connected({ token }, { token_ms: 20_000 });
  mock.timers.tick(16_000);
  await settle();
  assert.deepEqual(server.take(), []);
  assert.deepEqual(errors, [failure]);
  assert.equal(state().state, "connected");
  live.close();
});

test("a refused token ends it, in the server's words", async () => {
  const { live, socket, state } = fixture({ token: "bad" });
  const server = await socket();
  server.onopen?.();
  await settle();
  server.error(server.takeOne("$hello").id, 200, "unauthorized", "log in again");
  assert.equal(state().state, "connecting", "the close says whether to come back");
  server.drop(CloseCode.unauthorized, "log in again");
  assert.equal(state().state, "closed");
  assert.equal(state().reason, "log in again");
  live.close();
});

test("a hello that is none is given up and tried again, and says nothing of the session", async () => {
  const parts = await connected({}, { schema: { prices: "incompatible" } });
  const { live, server, socket, errors, state } = parts;
  server.drop();
  for (const hello of [{ topic: "$hello" }, { topic: "$hello", data: null }, { topic: "$hello", data: { session: "s2", ping_ms: "soon" } }]) {
    mock.timers.tick(Number(state().retryAt) - Date.now());
    const next = await socket();
    next.onopen?.();
    await settle();
    next.receive({ re: next.takeOne("$hello").id, ...hello });
    assert.equal(next.closedWith, CloseCode.bad_hello);
    assert.deepEqual([state().state, state().session, state().incompatible], ["waiting", "s1", ["prices"]]);
  }
  await settle();
  assert.deepEqual([...new Set(errors.map((error) => (error as Error).name))], ["malformed"]);
  live.close();
});

test("pings are answered, and a silent server is dropped", async () => {
  const { live, server, state } = await connected();
  server.receive({ topic: "$ping" });
  server.takeOne("$pong");
  mock.timers.tick(35_000);
  assert.equal(server.closedWith, CloseCode.dead_peer);
  assert.equal(state().state, "waiting");
  live.close();
});

test("every frame counts as life", async () => {
  const { live, server, state } = await connected();
  for (let n = 0; n < 5; n++) {
    mock.timers.tick(30_000);
    server.receive({ topic: "news", data: n });
  }
  assert.equal(state().state, "connected");
  live.close();
});

test("nothing is heard of a socket that was given up", async () => {
  const { live, server, socket, state } = await connected();
  mock.timers.tick(35_000);
  mock.timers.tick(500);
  const next = await socket();
  server.receive({ topic: "$ping" });
  server.drop(4204);
  assert.equal(state().state, "connecting");
  await next.greet();
  assert.equal(state().state, "connected");
  live.close();
});

test("a socket that is being closed is sent nothing, of which a browser would complain", async () => {
  const { live, server, socket } = await connected();
  live.subscribe("prices", () => {});
  server.accept("e1", 4);
  server.readyState = 2;
  const wave = live.send("wave", null);
  live.subscribe("quotes", () => {});
  assert.deepEqual(server.take(), []);
  server.drop();
  await assert.rejects(wave, { name: "unknown" });
  mock.timers.tick(500);
  const next = await socket();
  await next.greet();
  assert.deepEqual(next.take().map(({ topic, data }) => [topic, data?.topic]), [["$subscribe", "prices"], ["$subscribe", "quotes"]]);
  live.close();
});

test("a token that cannot be had is reported and tried again", async () => {
  const failure = new Error("no session");
  let tries = 0;
  const { live, socket, state, errors } = fixture({
    token: () => {
      if (++tries === 1) throw failure;
      return "t";
    },
  });
  await socket();
  await settle();
  assert.deepEqual(errors, [failure]);
  assert.equal(state().state, "waiting");
  mock.timers.tick(500);
  const hello = await (await socket()).greet();
  assert.equal(hello.data?.token, "t");
  live.close();
});

test("a socket that the runtime refuses is reported and tried again", async () => {
  const errors: unknown[] = [];
  class Refused {
    constructor() {
      throw new Error("insecure");
    }
    send() {}
    close() {}
  }
  const live = connect(
    { name: "", entries: {} },
    { url: "ws://example.test", WebSocket: Refused, onError: (error) => errors.push(error) },
  );
  await new Promise<void>((resolve) => {
    live.connection.subscribe(() => live.connection.getSnapshot().state === "waiting" && resolve());
  });
  await settle();
  assert.deepEqual(errors.map(String), ["Error: insecure"]);
  live.close();
});

test("listeners of the state hear each change, and may be given twice", async () => {
  const { live, socket } = fixture();
  const states: string[] = [];
  const listener = () => states.push(live.connection.getSnapshot().state);
  const off = live.connection.subscribe(listener);
  live.connection.subscribe(listener);
  const server = await socket();
  await server.greet();
  off();
  server.drop();
  live.close();
  live.close();
  assert.deepEqual(states, ["connecting", "connecting", "connected", "connected", "waiting", "closed"]);
});

test("closing ends everything at once and for good", async () => {
  const { live, server, sockets, state } = await connected();
  const room = live.subscribe("chat:a");
  server.accept("e", 0);
  const sent = live.publish("chat:a", { text: "x" });
  live.close();
  assert.equal(server.closedWith, CloseCode.normal);
  assert.equal(state().state, "closed");
  assert.equal(room.status.getSnapshot().state, "closed");
  await assert.rejects(sent, { name: "unknown" });
  await assert.rejects(live.publish("chat:a", { text: "x" }), { name: "closed" });
  await assert.rejects(live.subscribe("chat:a").ready, { name: "closed" });
  assert.deepEqual(await room[Symbol.asyncIterator]().next(), { value: undefined, done: true });
  mock.timers.tick(60_000);
  assert.equal(sockets.length, 0);
  live.close();
});

test("closing before the core is loaded opens no socket", async () => {
  const { live, sockets, state } = fixture();
  const sent = live.publish("chat:a", { text: "x" });
  const room = live.subscribe("chat:a", () => {});
  live.close();
  assert.equal(state().state, "closed");
  assert.equal(room.status.getSnapshot().state, "closed");
  await assert.rejects(sent, { name: "closed" });
  const other = fixture();
  await other.socket();
  assert.equal(sockets.length, 0);
  other.live.close();
});

test("where there is no page a path leads nowhere, which whoever asks for something is told", async () => {
  const { live, sockets, errors, state } = fixture({ url: "/ws" });
  await settle();
  assert.equal(state().state, "idle");
  assert.deepEqual(errors, [], "a page that is rendered on a server asks for nothing");
  const text = "/ws is a path, and there is no page whose host it could be on: give the whole address";
  await assert.rejects(live.publish("chat:a", { text: "x" }), { name: "not_sent", message: text });
  await assert.rejects(live.call("ping", null), { name: "not_sent", message: text });
  await assert.rejects(live.subscribe("chat:a", () => {}).ready, { message: text });
  live.subscribe("chat:a", () => {});
  await settle();
  assert.deepEqual(errors.map(String), [`not_sent: ${text}`], "of the one that nobody watches");
  assert.equal(sockets.length, 0);
  live.close();
});

test("a path leads to the page's host", async () => {
  const page = globalThis as { location?: { href: string } };
  page.location = { href: "https://app.test/rooms/1#top" };
  try {
    const { live, socket } = fixture({ url: "/ws" });
    assert.equal((await socket()).url, "wss://app.test/ws");
    live.close();
  } finally {
    delete page.location;
  }
});

test("a URL that is none and a runtime without WebSocket are told at once", () => {
  assert.throws(() => fixture({ url: "wss://" }), TypeError);
  assert.throws(() => connect({ name: "", entries: {} }, { url: "ws://example.test" }), /WebSocket/);
});

for (const [from, type] of [["window", "online"], ["window", "pageshow"], ["document", "visibilitychange"], ["document", "resume"]]) test(`a page that wakes (${type}) tries at once`, async () => {
  const page = globalThis as unknown as { addEventListener?: unknown; removeEventListener?: unknown; document?: unknown };
  const events = new EventTarget();
  page.document = from === "document" ? Object.assign(events, { visibilityState: "visible" }) : undefined;
  page.addEventListener = events.addEventListener.bind(events);
  page.removeEventListener = events.removeEventListener.bind(events);
  try {
    const { live, socket, state } = fixture();
    // The third try: its delay is long enough to be cut short.
    for (let tries = 0; state().retryAt === undefined || Number(state().retryAt) - Date.now() < 1_500; tries++) {
      assert(tries < 100, "no long delay came");
      (await socket()).drop();
      if (Number(state().retryAt) - Date.now() < 1_500) mock.timers.tick(Number(state().retryAt) - Date.now());
    }
    mock.timers.tick(1_100);
    assert.equal(state().state, "waiting");
    events.dispatchEvent(new Event(type ?? ""));
    assert.equal(state().state, "connecting");
    live.close();
  } finally {
    delete page.document;
    delete page.addEventListener;
    delete page.removeEventListener;
  }
});
