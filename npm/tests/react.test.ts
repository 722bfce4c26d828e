import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { reduced, topicStore } from "../src/index.js";
import { createLiveContext, useCall, useConnection, usePresence, useTopic } from "../src/react.js";
import { shown } from "../src/shown.js";
import { connected, fixture, schema, settle } from "./fake.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
});

// All stores have one frame, which a reset would take from them.
afterEach(() => mock.timers.tick(1_000));

const FRAME_MS = 16;
const GRACE_MS = 500;

const say = (text: string) => ({ user: "ann", text });

test("on a server components render what they show before anything came, and ask for nothing", async () => {
  const { live, socket } = fixture();
  const { LiveProvider, useLive } = createLiveContext(schema);
  const Room = () => {
    const live = useLive();
    const { state } = useConnection(live);
    const room = useTopic(live, "chat:a", { presence: { status: "here" } });
    const here = usePresence(live, "chat:a");
    const add = useCall(live, "add");
    return createElement("p", null, [state, room.status, room.events.length, room.state, here, add.state].map(String).join(" "));
  };
  const server = await socket();
  await server.greet();
  assert.equal(live.connection.getSnapshot().state, "connected");
  const page = createElement(LiveProvider, { live }, createElement(Room));
  assert.equal(renderToString(page), "<p>idle subscribing 0 undefined undefined idle</p>");
  assert.deepEqual(server.take(), []);
  assert.throws(() => renderToString(createElement(Room)), { message: /no LiveProvider of the schema Test/ });
  live.close();
});

test("a view has the state, the newest events and who is there, and changes once a frame", async () => {
  const { live, server } = await connected();
  const view = topicStore(live, "chat:a", { keep: 2, presence: { status: "here" } });
  let changes = 0;
  const leave = view.subscribe(() => changes++);
  const [room, members] = server.take();
  assert.deepEqual(room?.data, { topic: "chat:a", snapshot: true, presence: { status: "here" } });
  assert.deepEqual(members?.data, { topic: "$presence:chat:a", snapshot: true });
  server.reply(room?.id, { epoch: "e", offset: 1, head: 1, snapshot: [say("1")] });
  server.reply(members?.id, { epoch: "p", offset: 1, head: 1, snapshot: { ann: { status: "here" } } });
  for (let offset = 2; offset <= 4; offset++) server.event("chat:a", offset, say(`${offset}`));
  assert.equal(changes, 0);
  mock.timers.tick(FRAME_MS);
  assert.equal(changes, 1);
  const { state, events, presence, status, gap, error, recovered, pending } = view.getSnapshot();
  assert.deepEqual(state, ["1", "2", "3", "4"].map(say));
  assert.deepEqual(events, [say("3"), say("4")]);
  assert.deepEqual(presence, { members: new Map([["ann", { status: "here" }]]), count: 1 });
  assert.deepEqual([status, gap, error, recovered, pending], ["live", undefined, undefined, undefined, []]);
  const snapshot = view.getSnapshot();
  mock.timers.tick(1_000);
  assert.equal(view.getSnapshot(), snapshot);
  assert.equal(changes, 1);

  view.setWish({ status: "here" });
  assert.deepEqual(server.take(), [], "the same");
  view.setWish({ status: "away" });
  server.error(server.takeOne("$presence:chat:a").id, 201, "forbidden");
  await settle();
  mock.timers.tick(FRAME_MS);
  assert.equal(view.getSnapshot().error?.name, "forbidden");

  const sent = view.getSnapshot().publish({ text: "5" }, { echo: say("5") });
  mock.timers.tick(FRAME_MS);
  await settle();
  mock.timers.tick(FRAME_MS);
  assert.deepEqual(view.getSnapshot().pending, [say("5")]);
  server.reply(server.takeOne("chat:a").id, { epoch: "e", offset: 5 });
  assert.deepEqual(await sent, { epoch: "e", offset: 5 });
  server.receive({ topic: "$gap", data: { topic: "chat:a", after: 4, to: 5, cause: "dropped" } });
  mock.timers.tick(FRAME_MS);
  assert.deepEqual(view.getSnapshot().gap, { after: 4, to: 5, cause: "dropped" });

  leave();
  mock.timers.tick(GRACE_MS);
  assert.deepEqual(server.take().map(({ topic }) => topic), ["$subscribe", "$unsubscribe", "$unsubscribe"]);
  live.close();
});

test("frames of a page set the pace, and a hidden page is not forgotten", async (t) => {
  const page = globalThis as { requestAnimationFrame?: unknown; cancelAnimationFrame?: unknown };
  const frames = new Map<number, () => void>();
  let last = 0;
  page.requestAnimationFrame = (run: () => void) => (frames.set(++last, run), last);
  page.cancelAnimationFrame = (frame: number) => frames.delete(frame);
  t.after(() => {
    delete page.requestAnimationFrame;
    delete page.cancelAnimationFrame;
  });
  let changed = () => {};
  let value = 0;
  const store = shown(0, (ask) => {
    changed = ask;
    return { read: () => value, isOver: () => false, close: () => {} };
  });
  let changes = 0;
  const leave = store.subscribe(() => changes++);
  for (value = 1; value < 1_000; value++) changed();
  assert.equal(frames.size, 1);
  frames.get(1)?.();
  assert.deepEqual([changes, store.getSnapshot(), frames.size], [1, 1_000, 0]);
  changed();
  mock.timers.tick(250);
  assert.equal(changes, 2);
  assert.equal(frames.size, 0, "the frame that did not come is not waited for");
  changed();
  leave();
  mock.timers.tick(GRACE_MS);
  assert.equal(frames.size, 0);
  assert.equal(changes, 2);
});

test("a view that is left and watched again at once, as StrictMode does, subscribes once", async () => {
  const { live, server } = await connected();
  const view = topicStore(live, "chat:a");
  view.subscribe(() => {})();
  const leave = view.subscribe(() => {});
  server.accept("e", 0, { snapshot: [] });
  mock.timers.tick(GRACE_MS);
  assert.deepEqual(server.take(), []);
  server.event("chat:a", 1, say("1"));
  mock.timers.tick(FRAME_MS);
  assert.deepEqual(view.getSnapshot().state, [say("1")]);
  leave();
  mock.timers.tick(GRACE_MS - 1);
  assert.deepEqual(server.take(), []);
  mock.timers.tick(1);
  server.takeOne("$unsubscribe");
  view.subscribe(() => {});
  assert.deepEqual(view.getSnapshot().state, undefined, "begun anew");
  server.takeOne("$subscribe");
  live.close();
});

test("a refusal is shown, not reported, and the next watcher asks again", async () => {
  const { live, server, errors } = await connected();
  const view = topicStore(live, "chat:a", { state: false });
  const leave = view.subscribe(() => {});
  const { id, data } = server.takeOne("$subscribe");
  assert.deepEqual(data, { topic: "chat:a" });
  server.error(id, 201, "forbidden");
  mock.timers.tick(FRAME_MS);
  assert.equal(view.getSnapshot().status, "closed");
  assert.equal(view.getSnapshot().error?.name, "forbidden");
  assert.deepEqual(errors, []);
  leave();
  view.subscribe(() => {});
  assert.equal(view.getSnapshot().status, "subscribing");
  server.takeOne("$subscribe");
  live.close();
});

test("a view keeps a state as it is told, and publishes without one", async () => {
  const { live, server } = await connected();
  const view = topicStore(live, "sums", { state: reduced(({ sum }, event) => ({ sum: sum + event })) });
  view.subscribe(() => {});
  server.accept("e", 1, { snapshot: { sum: 1 } });
  server.event("sums", 2, 4);
  mock.timers.tick(FRAME_MS);
  assert.deepEqual(view.getSnapshot().state, { sum: 5 });

  const unwatched = topicStore(live, "chat:b");
  const sent = unwatched.getSnapshot().publish({ text: "x" }, { echo: say("x") });
  server.reply(server.takeOne("chat:b").id, { epoch: "e", offset: 1 });
  assert.deepEqual(await sent, { epoch: "e", offset: 1 });
  const page = unwatched.getSnapshot().history({ limit: 1 });
  server.reply(server.takeOne("$history").id, { epoch: "e", head: 1, events: [] });
  assert.deepEqual(await page, { epoch: "e", head: 1, events: [] });
  live.close();
});
