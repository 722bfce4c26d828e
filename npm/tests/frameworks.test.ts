// The recipes of docs/client.md: in each framework a topic's events are shown once a frame, another topic takes the first one's place, and
// a component that is gone leaves no subscription.

import { container, frame } from "./dom.js";
import assert from "node:assert/strict";
import { register } from "node:module";
import { beforeEach, mock, test } from "node:test";
import { topicName, topicStore } from "../src/index.js";
import { connected } from "./fake.js";

register("./svelte-hooks.mjs", import.meta.url);

const GRACE_MS = 500;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
});

type Live = Awaited<ReturnType<typeof connected>>["live"];
/** A component in a place that shows a room's status and texts, with a way to change the room and one to remove it. */
type Shown = { setName(name: string): void; unmount(): void };

async function inVue(place: HTMLElement, live: Live): Promise<Shown> {
  const { createApp, h, ref } = await import("vue");
  const { useStore } = await import("./frameworks/vue.js");
  const name = ref("a");
  const app = createApp({
    setup() {
      const room = useStore(() => topicStore(live, topicName("chat:{room}", { room: name.value })));
      return () => h("p", `${room.value.status} ${room.value.state?.map(({ text }) => text).join(" ") ?? ""}`);
    },
  });
  app.mount(place);
  return { setName: (next) => (name.value = next), unmount: () => app.unmount() };
}

async function inSolid(place: HTMLElement, live: Live): Promise<Shown> {
  const { createSignal } = await import("solid-js");
  const { render } = await import("solid-js/web");
  const { default: h } = await import("solid-js/h");
  const { fromStore } = await import("./frameworks/solid.js");
  const [name, setName] = createSignal("a");
  const Room = () => {
    const room = fromStore(() => topicStore(live, topicName("chat:{room}", { room: name() })));
    return h("p", () => `${room().status} ${room().state?.map(({ text }) => text).join(" ") ?? ""}`);
  };
  return { setName, unmount: render(h(Room) as never, place) };
}

async function inSvelte(place: HTMLElement, live: Live): Promise<Shown> {
  const { flushSync, mount, unmount } = await import("svelte");
  const { default: Page } = await import("./frameworks/Page.svelte");
  const page = mount(Page, { target: place, props: { live } });
  flushSync();
  return { setName: page.setName as Shown["setName"], unmount: () => void unmount(page) };
}

for (const [framework, show] of Object.entries({ Vue: inVue, Solid: inSolid, Svelte: inSvelte })) {
  test(`a topic in ${framework}`, async () => {
    const { live, server, errors } = await connected();
    const place = container();
    const shown = () => String(place.textContent).trim();
    const { setName, unmount } = await show(place, live);
    await frame();
    assert.equal(shown(), "subscribing");
    server.accept("e", 1, { snapshot: [{ user: "ann", text: "1" }] });
    await frame();
    assert.equal(shown(), "live 1");
    for (let offset = 2; offset <= 4; offset++) server.event("chat:a", offset, { user: "ann", text: `${offset}` });
    assert.equal(shown(), "live 1");
    await frame();
    assert.equal(shown(), "live 1 2 3 4");

    setName("b");
    await frame();
    assert.equal(shown(), "subscribing");
    assert.equal(server.accept("f", 1, { snapshot: [{ user: "ann", text: "b" }] }).data?.topic, "chat:b");
    await frame();
    assert.equal(shown(), "live b");
    mock.timers.tick(GRACE_MS);
    assert.deepEqual(server.takeOne("$unsubscribe").data, { topic: "chat:a" });

    unmount();
    await frame();
    assert.equal(shown(), "");
    mock.timers.tick(GRACE_MS);
    assert.deepEqual(server.takeOne("$unsubscribe").data, { topic: "chat:b" });
    assert.deepEqual(errors, []);
    live.close();
    await frame();
  });
}
