// The hooks in a document, by React's own renderer.

import { container, frame } from "./dom.js";
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { createElement, type ReactNode, startTransition, StrictMode, Suspense, use, useLayoutEffect, useState } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { createLiveContext, useCall, useConnection, usePresence, useTopic } from "../src/react.js";
import { connected, fixture, schema, settle } from "./fake.js";

const GRACE_MS = 500;

let complaints: unknown[];
let root: Root | undefined;
beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
  complaints = [];
  // Node's own warnings go there too.
  mock.method(console, "error", (...args: unknown[]) => /^\(node:/.test(String(args[0])) || complaints.push(args));
});
afterEach(async () => {
  root?.unmount();
  root = undefined;
  await frame();
  mock.timers.tick(GRACE_MS);
  mock.restoreAll();
  assert.deepEqual(complaints, []);
});

const say = (text: string) => ({ user: "ann", text });

/** Shows an element, and gives where. */
async function show(element: ReactNode): Promise<HTMLElement> {
  const place = container();
  root = createRoot(place, { onRecoverableError: (error) => complaints.push(error) });
  await update(element);
  return place;
}

async function update(element: ReactNode): Promise<void> {
  root?.render(element);
  await frame();
}

/** A component that shows a topic's texts, and every view with which it was rendered. */
function topicOf(live: Awaited<ReturnType<typeof connected>>["live"]) {
  const renders: string[] = [];
  const Room = ({ topic = "chat:a", status }: { topic?: `chat:${string}`; status?: string }) => {
    const room = useTopic(live, topic, status === undefined ? {} : { presence: { status } });
    const text = `${room.status} ${(room.state ?? []).map((message) => message.text)}${room.error?.name ?? ""}`;
    renders.push(text);
    return createElement("p", null, text);
  };
  return { Room, renders };
}

test("in StrictMode a topic is subscribed once and does not flap", async () => {
  const { live, server } = await connected();
  const { Room, renders } = topicOf(live);
  const place = await show(createElement(StrictMode, null, createElement(Room)));
  server.accept("e", 1, { snapshot: [say("1")] });
  await frame();
  mock.timers.tick(10 * GRACE_MS);
  await frame();
  assert.equal(place.textContent, "live 1");
  assert.deepEqual([...new Set(renders)], ["subscribing ", "live 1"]);
  assert.deepEqual(server.take().filter(({ topic }) => topic !== "$pong"), []);
  live.close();
});

test("a component renders once a frame, however many messages come and however many stores it shows", async () => {
  const { live, server } = await connected();
  let renders = 0;
  const Page = () => {
    const room = useTopic(live, "chat:a", { keep: 10 });
    const prices = useTopic(live, "prices");
    const here = usePresence(live, "chat:a");
    renders++;
    return createElement("p", null, `${room.events.length} ${room.events.at(-1)?.text} ${prices.state?.at(-1)} ${here?.count}`);
  };
  const place = await show(createElement(Page));
  const [room, prices, members] = server.take();
  server.reply(room?.id, { epoch: "e", offset: 0, head: 0, snapshot: [] });
  server.reply(prices?.id, { epoch: "e", offset: 0, head: 0, snapshot: [] });
  server.reply(members?.id, { epoch: "p", offset: 0, head: 0, snapshot: {} });
  await frame();
  renders = 0;
  for (let offset = 1; offset <= 10_000; offset++) {
    server.event("chat:a", offset, say(`${offset}`));
    server.event("prices", offset, offset);
    if (offset % 1_000 === 0) await settle();
  }
  server.event("$presence:chat:a", 1, { joined: { ann: { status: "here" } } });
  assert.equal(renders, 0);
  await frame();
  assert.equal(renders, 1);
  assert.equal(place.textContent, "10 10000 10000 1");
  await frame();
  assert.equal(renders, 1);
  live.close();
});

test("a component that comes back within the grace period finds its topic, and later asks anew", async () => {
  const { live, server } = await connected();
  const { Room } = topicOf(live);
  const place = await show(createElement(Room));
  server.accept("e", 1, { snapshot: [say("1")] });
  await frame();
  await update(null);
  assert.equal(place.textContent, "");
  mock.timers.tick(GRACE_MS - 1);
  assert.deepEqual(server.take(), []);
  // A component that was gone has a store of its own, whose state comes by a snapshot; on the wire the subscription goes on.
  await update(createElement(Room));
  const { id, data } = server.takeOne("$subscribe");
  assert.deepEqual(data, { topic: "chat:a", snapshot: true, beside: true });
  server.reply(id, { epoch: "e", offset: 1, head: 1, snapshot: [say("1")] });
  await frame();
  assert.equal(place.textContent, "live 1");
  mock.timers.tick(GRACE_MS);
  assert.deepEqual(server.take(), []);
  await update(null);
  mock.timers.tick(GRACE_MS);
  assert.deepEqual(server.takeOne("$unsubscribe").data, { topic: "chat:a" });
  live.close();
});

test("another topic begins anew, and nothing of the one before is shown", async () => {
  const { live, server } = await connected();
  const { Room, renders } = topicOf(live);
  const place = await show(createElement(Room, { topic: "chat:a" }));
  server.accept("e", 1, { snapshot: [say("a")] });
  await frame();
  renders.length = 0;
  await update(createElement(Room, { topic: "chat:b" }));
  assert.equal(place.textContent, "subscribing ");
  server.accept("f", 1, { snapshot: [say("b")] });
  server.event("chat:a", 2, say("late"));
  await frame();
  assert.equal(place.textContent, "live b");
  mock.timers.tick(GRACE_MS);
  assert.deepEqual(server.takeOne("$unsubscribe").data, { topic: "chat:a" });
  assert(renders.every((text) => !text.includes("a") && !text.includes("late")), String(renders));
  live.close();
});

test("a refused subscription is shown by the component, and reported nowhere else", async () => {
  const { live, server, errors } = await connected();
  const { Room } = topicOf(live);
  const place = await show(createElement(Room));
  server.error(server.takeOne("$subscribe").id, 201, "forbidden", "members only");
  await frame();
  assert.equal(place.textContent, "closed forbidden");
  assert.deepEqual(errors, []);
  live.close();
});

test("a wish that changes is told once, and one that is the same is not", async () => {
  const { live, server } = await connected();
  const { Room } = topicOf(live);
  await show(createElement(Room, { status: "here" }));
  const [room, members] = server.take();
  assert.deepEqual(room?.data, { topic: "chat:a", snapshot: true, presence: { status: "here" } });
  server.reply(room?.id, { epoch: "e", offset: 0, head: 0, snapshot: [] });
  server.reply(members?.id, { epoch: "p", offset: 0, head: 0, snapshot: {} });
  await update(createElement(Room, { status: "here" }));
  assert.deepEqual(server.take(), []);
  await update(createElement(Room, { status: "away" }));
  assert.deepEqual(server.takeOne("$presence:chat:a").data, { status: "away" });
  live.close();
});

test("while a transition renders, all that is shown is of one moment", async () => {
  const { live, server } = await connected();
  const seen: string[] = [];
  let mayGoOn = () => {};
  const slow = new Promise<void>((resolve) => (mayGoOn = resolve));
  const Reader = () => {
    const { events } = useTopic(live, "chat:a", { state: false });
    const text = events.at(-1)?.text ?? "-";
    // Long enough for React to yield between two of them.
    for (const end = performance.now() + 4; performance.now() < end; );
    useLayoutEffect(() => void seen.push([...place.querySelectorAll("i")].map((i) => i.textContent).join("")));
    return createElement("i", null, text);
  };
  const Readers = () => Array.from({ length: 5 }, (_, key) => createElement(Reader, { key }));
  let open = (_: string) => {};
  const Waiting = () => {
    use(slow);
    return createElement(Readers);
  };
  const Page = () => {
    const [what, setWhat] = useState("");
    open = setWhat;
    return createElement(Suspense, null, what === "list" ? createElement(Readers) : what === "suspended" ? createElement(Waiting) : null);
  };
  const place = await show(createElement(Page));
  live.subscribe("chat:a", () => {});
  server.accept("e", 0);
  startTransition(() => open("list"));
  // Events come while the list is rendered in slices.
  for (let offset = 1; offset <= 30; offset++) {
    server.event("chat:a", offset, say(String(offset % 10)));
    await frame();
  }
  const shown = () => place.textContent ?? "";
  assert.equal(shown(), "00000");
  assert(seen.length > 5);
  for (const texts of seen) assert.match(texts, /^(?:(.)\1*)?$/, "all the same");
  // What waits for something else in a transition leaves what is shown alive.
  startTransition(() => open("suspended"));
  server.event("chat:a", 31, say("x"));
  await frame();
  assert.equal(shown(), "xxxxx");
  mayGoOn();
  await frame();
  await frame();
  server.event("chat:a", 32, say("y"));
  await frame();
  assert.equal(shown(), "yyyyy");
  live.close();
});

test("a page that was rendered on a server comes alive without a mismatch, and asks only then", async () => {
  const { LiveProvider, useLive } = createLiveContext(schema);
  const Page = () => {
    const live = useLive();
    const room = useTopic(live, "chat:a");
    const { count } = usePresence(live, "chat:a") ?? {};
    const { state } = useConnection(live);
    return createElement("p", null, `${state} ${room.status} ${room.state?.length} ${count}`);
  };
  const onServer = fixture({ url: "/ws", WebSocket: class { constructor() { assert.fail("a socket"); } send() {} close() {} } });
  const html = renderToString(createElement(LiveProvider, { live: onServer.live }, createElement(Page)));
  assert.equal(html, "<p>idle subscribing undefined undefined</p>");
  await settle();
  assert.deepEqual(onServer.errors, []);

  const { live, server } = await connected();
  const place = container();
  place.innerHTML = html;
  const paragraph = place.firstChild;
  root = hydrateRoot(place, createElement(StrictMode, null, createElement(LiveProvider, { live }, createElement(Page))), {
    onRecoverableError: (error) => complaints.push(error),
  });
  assert.deepEqual(server.take(), []);
  await frame();
  assert.equal(place.firstChild, paragraph, "the server's own element");
  const [room, members] = server.take();
  server.reply(room?.id, { epoch: "e", offset: 0, head: 0, snapshot: [say("1")] });
  server.reply(members?.id, { epoch: "p", offset: 0, head: 0, snapshot: {} });
  await frame();
  assert.equal(place.textContent, "connected live 1 0");
  live.close();
});

test("a call's outcome is shown, the last one's, and its rejection needs no catch", async () => {
  const { live, server } = await connected();
  let call: (args: [number, number]) => Promise<number> = () => assert.fail();
  const Sum = () => {
    const view = useCall(live, "add");
    ({ call } = view);
    return createElement("p", null, `${view.state} ${view.reply} ${(view.error as Error | undefined)?.name}`);
  };
  const place = await show(createElement(StrictMode, null, createElement(Sum)));
  assert.equal(place.textContent, "idle undefined undefined");
  void call([1, 2]);
  await frame();
  assert.equal(place.textContent, "pending undefined undefined");
  void call([3, 4]);
  const [first, second] = server.take();
  server.reply(second?.id, 7);
  server.reply(first?.id, 3);
  await frame();
  assert.equal(place.textContent, "done 7 undefined");
  void call([5, 6]);
  server.error(server.takeOne("$call").id, 1_234, "overflow");
  await frame();
  assert.equal(place.textContent, "failed undefined overflow");
  void call([5, 6]);
  await update(null);
  live.close();
  await settle();
});

test("the connection's state is shown as it changes", async () => {
  const { live, server } = await connected();
  const State = () => createElement("p", null, useConnection(live).state);
  const place = await show(createElement(State));
  assert.equal(place.textContent, "connected");
  server.drop();
  await frame();
  assert.equal(place.textContent, "waiting");
  live.close();
  await frame();
  assert.equal(place.textContent, "closed");
});
