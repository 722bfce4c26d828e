import assert from "node:assert/strict";
import { test } from "node:test";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { useConnection, useTopic } from "../src/react.js";
import { topicView } from "../src/topic-view.js";
import { connected, fixture, settle } from "./fake.js";

test("on a server components render what they show before anything came, and subscribe to nothing", async () => {
  const { live, socket } = fixture();
  const Page = () => {
    const { state } = useConnection(live);
    const topic = useTopic(live, "chat:a");
    return createElement("p", null, `${state} ${topic.state} ${topic.events.length}`);
  };
  const server = await socket();
  await server.greet();
  assert.equal(live.connection.getSnapshot().state, "connected");
  assert.equal(renderToString(createElement(Page)), "<p>idle subscribing 0</p>");
  assert.deepEqual(server.take(), []);
  live.close();
});

test("a view keeps the newest events and its snapshot until something changes", async () => {
  const { live, server } = await connected();
  const view = topicView(live, "prices", 2);
  let changes = 0;
  const leave = view.subscribe(() => changes++);
  server.accept("e", 0);
  await settle();
  assert.deepEqual(view.getSnapshot(), { events: [], state: "live", error: undefined });
  for (let offset = 1; offset <= 3; offset++) server.event("prices", offset, offset);
  const snapshot = view.getSnapshot();
  assert.deepEqual(snapshot.events, [2, 3]);
  assert.equal(view.getSnapshot(), snapshot);
  assert.equal(changes, 4);
  leave();
  server.takeOne("$unsubscribe");
  assert.equal(changes, 4);
  live.close();
});

test("a view may be left and watched again, as StrictMode does", async () => {
  const { live, server, errors } = await connected();
  const view = topicView(live, "chat:a", 10);
  view.subscribe(() => {})();
  const leave = view.subscribe(() => {});
  const [first, ended, second] = server.take();
  assert.deepEqual([first?.topic, ended?.topic, second?.topic], ["$subscribe", "$unsubscribe", "$subscribe"]);
  server.error(second?.id, 201, "forbidden");
  assert.equal(view.getSnapshot().state, "closed");
  assert.equal(view.getSnapshot().error?.name, "forbidden");
  assert.deepEqual(errors, [], "it is shown");
  leave();
  view.subscribe(() => {});
  assert.deepEqual(view.getSnapshot(), { events: [], state: "subscribing", error: undefined });
  live.close();
});
