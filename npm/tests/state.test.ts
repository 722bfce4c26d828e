import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { items, reduced } from "../src/index.js";
import { connected, type FakeSocket, reconnect, settle } from "./fake.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
});

const say = (text: string) => ({ user: "ann", text });
const quote = (symbol: string, price: number) => ({ symbol, price });
const keyed = (server: FakeSocket, offset: number, symbol: string, price: number) =>
  server.event("quotes", offset, quote(symbol, price), offset - 1, { key: symbol });

test("a list is its snapshot and what follows, in one round trip", async () => {
  const { live, server } = await connected();
  const prices = live.subscribe("prices", { state: items() });
  let changes = 0;
  prices.state.subscribe(() => changes++);
  assert.deepEqual(prices.state.getSnapshot(), {
    value: undefined,
    pending: [],
    recovered: undefined,
    gap: undefined,
    error: undefined,
  });
  const { data } = server.accept("e", 2, { snapshot: [10, 20] });
  assert.deepEqual(data, { topic: "prices", snapshot: true });
  const first = prices.state.getSnapshot();
  assert.deepEqual(first.value, [10, 20]);
  assert.equal(prices.state.getSnapshot(), first);
  server.event("prices", 3, 30);
  server.event("prices", 4, 40);
  assert.deepEqual(prices.state.getSnapshot().value, [10, 20, 30, 40]);
  assert.deepEqual(first.value, [10, 20], "what was read does not change");
  assert.equal(changes, 3);
  live.close();
});

test("the version of a snapshot is sent with the position until another snapshot comes", async () => {
  const parts = await connected();
  const { live } = parts;
  const prices = live.subscribe("prices", { state: items() });
  parts.server.accept("e", 2, { snapshot: [1], version: "7" });
  parts.server.event("prices", 3, 2);
  live.subscribe("prices", () => {});
  let server = await reconnect(parts, parts.server);
  const since = { epoch: "e", offset: 3 };
  const asked = { topic: "prices", since, version: "7", snapshot: true };
  assert.deepEqual(server.accept("e", 3, { recovered: true }).data, asked);
  server = await reconnect(parts, server);
  assert.deepEqual(server.accept("e", 9, { recovered: false, snapshot: [5] }).data, asked);
  server = await reconnect(parts, server);
  assert.deepEqual(server.takeOne("$subscribe").data, { topic: "prices", since: { epoch: "e", offset: 9 }, snapshot: true });
  assert.deepEqual(prices.state.getSnapshot().value, [5]);
  live.close();
});

test("a subscription without state asks for none, and one that joins it before the answer reads its own", async () => {
  const { live, server } = await connected();
  live.subscribe("prices", () => {});
  const asked = server.takeOne("$subscribe");
  assert.deepEqual(asked.data, { topic: "prices" });
  const prices = live.subscribe("prices", { state: items() });
  server.reply(asked.id, { epoch: "e", offset: 2, head: 2 });
  const read = server.takeOne("$subscribe");
  assert.deepEqual(read.data, { topic: "prices", snapshot: true, beside: true });
  server.reply(read.id, { epoch: "e", offset: 2, head: 2, snapshot: [1, 2] });
  await settle();
  assert.deepEqual(prices.state.getSnapshot().value, [1, 2]);
  live.close();
});

test("who comes to a live topic gets a snapshot of its own, and each event once", async () => {
  const { live, server } = await connected();
  const early = live.subscribe("prices", { state: items() });
  server.accept("e", 1, { snapshot: [1] });
  const heard: number[] = [];
  const late = live.subscribe("prices", (price) => heard.push(price), { state: items() });
  const { id } = server.takeOne("$subscribe");
  server.event("prices", 2, 2);
  server.event("prices", 3, 3);
  server.event("prices", 4, 4);
  assert.equal(late.state.getSnapshot().value, undefined);
  assert.deepEqual(early.state.getSnapshot().value, [1, 2, 3, 4]);
  server.reply(id, { epoch: "e", offset: 3, head: 4, snapshot: [1, 2, 3] });
  await settle();
  assert.deepEqual(late.state.getSnapshot().value, [1, 2, 3, 4]);
  server.event("prices", 5, 5);
  assert.deepEqual(late.state.getSnapshot().value, [1, 2, 3, 4, 5]);
  assert.deepEqual(heard, [2, 3, 4, 5], "a handler waits for nothing");
  assert.deepEqual(server.take(), []);
  live.close();
});

test("what was missed is added; what cannot be is replaced by a snapshot", async () => {
  const parts = await connected();
  const { live, server } = parts;
  const prices = live.subscribe("prices", { state: items() });
  server.accept("e", 1, { snapshot: [1] });
  const next = await reconnect(parts, server);
  const { data } = next.accept("e", 1, { recovered: true });
  assert.deepEqual(data, { topic: "prices", since: { epoch: "e", offset: 1 }, snapshot: true });
  next.event("prices", 2, 2);
  assert.deepEqual(prices.state.getSnapshot(), { value: [1, 2], pending: [], recovered: true, gap: undefined, error: undefined });
  const last = await reconnect(parts, next);
  last.accept("e2", 7, { recovered: false, snapshot: [6, 7] });
  last.event("prices", 8, 8);
  const { value, recovered, gap } = prices.state.getSnapshot();
  assert.deepEqual(value, [6, 7, 8]);
  assert.equal(recovered, false);
  assert.deepEqual(gap, { after: 2, to: 7, cause: "new_epoch" });
  live.close();
});

test("a snapshot that was on its way when the connection was lost comes after all", async () => {
  const parts = await connected();
  const { live, server } = parts;
  live.subscribe("prices", () => {});
  server.accept("e", 1);
  const prices = live.subscribe("prices", { state: items() });
  server.takeOne("$subscribe");
  server.event("prices", 2, 2);
  const next = await reconnect(parts, server);
  const [subscribe, read] = next.take();
  next.reply(subscribe?.id, { epoch: "e", offset: 2, head: 3, recovered: true });
  next.event("prices", 3, 3);
  next.reply(read?.id, { epoch: "e", offset: 2, head: 3, snapshot: [1, 2] });
  await settle();
  assert.deepEqual(prices.state.getSnapshot().value, [1, 2, 3]);
  live.close();
});

test("a hole in a live topic is made good by a snapshot, with what came meanwhile", async () => {
  const { live, server } = await connected();
  const prices = live.subscribe("prices", { state: items() });
  server.accept("e", 1, { snapshot: [1] });
  server.receive({ topic: "$gap", data: { topic: "prices", after: 1, to: 4, cause: "dropped" } });
  const { id, data } = server.takeOne("$subscribe");
  assert.deepEqual(data, { topic: "prices", snapshot: true, beside: true });
  server.event("prices", 5, 5, 4);
  server.event("prices", 6, 6);
  assert.deepEqual(prices.state.getSnapshot().value, [1]);
  server.reply(id, { epoch: "e", offset: 5, head: 6, snapshot: [1, 2, 3, 4, 5] });
  await settle();
  assert.deepEqual(prices.state.getSnapshot().value, [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(prices.state.getSnapshot().gap, { after: 1, to: 4, cause: "dropped" });
  live.close();
});

test("a second hole while a snapshot is on its way loses nothing", async () => {
  const { live, server } = await connected();
  const prices = live.subscribe("prices", { state: items() });
  server.accept("e", 1, { snapshot: [1] });
  const gap = (after: number, to: number) =>
    server.receive({ topic: "$gap", data: { topic: "prices", after, to, cause: "dropped" } });
  gap(1, 2);
  const first = server.takeOne("$subscribe");
  server.event("prices", 3, 3, 2);
  gap(3, 4);
  const second = server.takeOne("$subscribe");
  server.event("prices", 5, 5, 4);
  server.reply(first.id, { epoch: "e", offset: 2, head: 5, snapshot: [1, 2] });
  server.reply(second.id, { epoch: "e", offset: 2, head: 5, snapshot: [1, 2] });
  await settle();
  assert.deepEqual(prices.state.getSnapshot().value, [1, 2, 3, 5], "as far as that server knows");
  live.close();
});

test("a snapshot from before what the state has already is asked for again", async () => {
  const { live, server } = await connected();
  const prices = live.subscribe("prices", { state: items() });
  server.accept("e", 1, { snapshot: [1] });
  server.event("prices", 2, 2);
  server.receive({ topic: "$gap", data: { topic: "prices", after: 2, to: 3, cause: "dropped" } });
  server.reply(server.takeOne("$subscribe").id, { epoch: "e", offset: 1, head: 3, snapshot: [1] });
  await settle();
  assert.deepEqual(prices.state.getSnapshot().value, [1, 2]);
  mock.timers.tick(1_000);
  server.reply(server.takeOne("$subscribe").id, { epoch: "e", offset: 3, head: 3, snapshot: [1, 2, 3] });
  await settle();
  assert.deepEqual(prices.state.getSnapshot().value, [1, 2, 3]);
  live.close();
});

test("a snapshot that is ahead of the events has those that come behind it", async () => {
  const { live, server } = await connected();
  live.subscribe("prices", () => {});
  server.accept("e", 1);
  const prices = live.subscribe("prices", { state: items() });
  const { id } = server.takeOne("$subscribe");
  server.event("prices", 2, 2);
  server.reply(id, { epoch: "e", offset: 4, head: 4, snapshot: [1, 2, 3, 4] });
  await settle();
  for (const price of [3, 4, 5]) server.event("prices", price, price);
  assert.deepEqual(prices.state.getSnapshot().value, [1, 2, 3, 4, 5]);
  live.close();
});

test("a server that cannot give a snapshot now is asked again; one that will not leaves what there is, and the error", async () => {
  const { live, server, errors } = await connected();
  live.subscribe("prices", () => {});
  server.accept("e", 1);
  const prices = live.subscribe("prices", { state: items() });
  server.error(server.takeOne("$subscribe").id, 303, "unavailable");
  await settle();
  server.event("prices", 2, 2);
  mock.timers.tick(1_000);
  server.error(server.takeOne("$subscribe").id, 201, "forbidden", "not yours");
  await settle();
  const { value, error } = prices.state.getSnapshot();
  assert.deepEqual(value, [2]);
  assert.equal(error?.message, "not yours");
  mock.timers.tick(60_000);
  assert.deepEqual(errors, []);
  live.close();
});

test("a topic without a state begins empty", async () => {
  const { live, server } = await connected();
  const prices = live.subscribe("prices", { state: items() });
  server.accept("e", 5);
  assert.deepEqual(prices.state.getSnapshot().value, []);
  const quotes = live.subscribe("quotes", { state: items() });
  server.accept("q", 0);
  keyed(server, 1, "A", 1);
  assert.deepEqual(quotes.state.getSnapshot().value, new Map([["A", quote("A", 1)]]));
  live.close();
});

test("a keyed topic is a map: the last event of each key, and removals", async () => {
  const { live, server } = await connected();
  const heard: number[] = [];
  const removed: string[] = [];
  const quotes = live.subscribe("quotes", ({ price }) => heard.push(price), {
    state: items(),
    onRemoved: (key, { offset }) => removed.push(`${key}@${offset}`),
  });
  server.accept("e", 2, { snapshot: { A: quote("A", 1), B: quote("B", 1) } });
  keyed(server, 3, "A", 2);
  const before = quotes.state.getSnapshot().value;
  server.event("quotes", 4, null, 3, { key: "B", removed: true });
  keyed(server, 5, "C", 3);
  assert.deepEqual(before, new Map([["A", quote("A", 2)], ["B", quote("B", 1)]]));
  assert.deepEqual(quotes.state.getSnapshot().value, new Map([["A", quote("A", 2)], ["C", quote("C", 3)]]));
  assert.deepEqual(heard, [2, 3]);
  assert.deepEqual(removed, ["B@4"]);
  live.close();
});

test("conflated events are enough for a map, and not for a sum", async () => {
  const { live, server } = await connected();
  const quotes = live.subscribe("quotes", { state: items() });
  server.accept("e", 1, { snapshot: { A: quote("A", 1) } });
  const count = live.subscribe("quotes", {
    state: reduced(
      (count: number) => count + 1,
      (snapshot) => Object.keys(snapshot ?? {}).length,
    ),
  });
  server.reply(server.takeOne("$subscribe").id, { epoch: "e", offset: 1, head: 1, snapshot: { A: quote("A", 1) } });
  await settle();
  server.receive({ topic: "$gap", data: { topic: "quotes", after: 1, to: 4, cause: "conflated" } });
  const asked = server.takeOne("$subscribe");
  keyed(server, 4, "A", 9);
  assert.deepEqual(quotes.state.getSnapshot().value, new Map([["A", quote("A", 9)]]));
  server.reply(asked.id, { epoch: "e", offset: 4, head: 4, snapshot: { A: quote("A", 9) } });
  await settle();
  assert.equal(count.state.getSnapshot().value, 1);
  assert.equal(quotes.state.getSnapshot().gap?.cause, "conflated");
  live.close();
});

test("a list keeps the newest", async () => {
  const { live, server } = await connected();
  const prices = live.subscribe("prices", { state: items({ keep: 2 }) });
  server.accept("e", 3, { snapshot: [1, 2, 3] });
  assert.deepEqual(prices.state.getSnapshot().value, [2, 3]);
  server.event("prices", 4, 4);
  assert.deepEqual(prices.state.getSnapshot().value, [3, 4]);
  live.close();
});

test("a function makes the state of another snapshot; what it throws leaves the event out", async () => {
  const parts = await connected();
  const { live, server, errors } = parts;
  const failure = new Error("mine");
  const starts: unknown[] = [];
  const sums = live.subscribe("sums", {
    state: reduced(
      (sum: number, event) => {
        if (event < 0) throw failure;
        return sum + event;
      },
      (snapshot, before) => {
        starts.push(before);
        return snapshot?.sum ?? 0;
      },
    ),
  });
  server.accept("e", 1, { snapshot: { sum: 5 } });
  for (const [index, event] of [1, -1, 2].entries()) server.event("sums", index + 2, event);
  assert.equal(sums.state.getSnapshot().value, 8);
  await settle();
  assert.deepEqual(errors, [failure]);
  const next = await reconnect(parts, server);
  next.accept("f", 1, { recovered: false, snapshot: { sum: 100 } });
  assert.equal(sums.state.getSnapshot().value, 100);
  assert.deepEqual(starts, [undefined, 8]);

  const whole = live.subscribe("sums", { state: reduced(({ sum }, event) => ({ sum: sum + event })) });
  next.reply(next.takeOne("$subscribe").id, { epoch: "f", offset: 1, head: 1, snapshot: { sum: 100 } });
  await settle();
  next.event("sums", 2, 3);
  assert.deepEqual(whole.state.getSnapshot().value, { sum: 103 });
  live.close();
});

test("a state that nobody reads does not grow with every event", async () => {
  const { live, server } = await connected();
  let folded = 0;
  const sums = live.subscribe("sums", { state: reduced((state, event) => (folded++, { sum: state.sum + event })) });
  server.accept("e", 0, { snapshot: { sum: 0 } });
  for (let offset = 1; offset <= 1_000; offset++) server.event("sums", offset, 1);
  assert(folded > 700 && folded < 1_000, String(folded));
  assert.deepEqual(sums.state.getSnapshot().value, { sum: 1_000 });
  assert.equal(folded, 1_000);
  live.close();
});

/** A room whose state has come, with the texts that it shows. */
async function joined() {
  const parts = await connected();
  const { live, server } = parts;
  const room = live.subscribe("chat:a", { state: items() });
  server.accept("e", 1, { snapshot: [say("1")] });
  const texts = () => room.state.getSnapshot().value?.map(({ text }) => text);
  return { ...parts, room, texts };
}

test("an echo is shown at once, and replaced by its event where that comes first", async () => {
  const { live, server, room, texts } = await joined();
  const echo = say("2");
  const sent = room.publish({ text: "2" }, { echo });
  const { id, mid } = server.takeOne("chat:a");
  assert.deepEqual(texts(), ["1", "2"]);
  assert.deepEqual(room.state.getSnapshot().pending, [echo]);
  server.event("chat:a", 2, say("of another"));
  assert.deepEqual(texts(), ["1", "of another", "2"]);
  server.event("chat:a", 3, say("2, as the server has it"), 2, { mid });
  assert.deepEqual(texts(), ["1", "of another", "2, as the server has it"]);
  assert.deepEqual(room.state.getSnapshot().pending, []);
  server.reply(id, { epoch: "e", offset: 3 });
  await sent;
  assert.deepEqual(texts(), ["1", "of another", "2, as the server has it"]);
  live.close();
});

test("an echo stays when the acknowledgement comes first, until its event", async () => {
  const { live, server, room, texts } = await joined();
  const sent = room.publish({ text: "3" }, { echo: say("3") });
  const { id, mid } = server.takeOne("chat:a");
  server.reply(id, { epoch: "e", offset: 3 });
  await sent;
  await settle();
  server.event("chat:a", 2, say("2"));
  assert.deepEqual(texts(), ["1", "2", "3"]);
  server.event("chat:a", 3, say("3!"), 2, { mid });
  assert.deepEqual(texts(), ["1", "2", "3!"]);
  live.close();
});

test("an echo of what was refused is taken away", async () => {
  const { live, server, room, texts } = await joined();
  const sent = [room.publish({ text: "2" }, { echo: say("2") }), room.publish({ text: "3" }, { echo: say("3") })];
  const [two] = server.take();
  server.error(two?.id, 104, "invalid_data");
  await assert.rejects(sent[0] as Promise<unknown>, { name: "invalid_data" });
  await settle();
  assert.deepEqual(texts(), ["1", "3"]);
  live.close();
  await assert.rejects(sent[1] as Promise<unknown>, { name: "unknown" });
  await settle();
  assert.deepEqual(texts(), ["1"]);
});

test("an echo whose event is within a snapshot, or was passed over, is taken away", async () => {
  const parts = await joined();
  const { live, server, room: general, texts } = parts;
  void general.publish({ text: "2" }, { echo: say("2") });
  server.take();
  const next = await reconnect(parts, server);
  const [subscribe, publish] = next.take();
  assert.equal(publish?.epoch, "e");
  next.reply(subscribe?.id, { epoch: "e", offset: 5, head: 5, recovered: false, snapshot: [say("2"), say("5")] });
  assert.deepEqual(texts(), ["2", "5", "2"], "nobody knows yet that it is the same");
  next.reply(publish?.id, { epoch: "e", offset: 2 });
  await settle();
  assert.deepEqual(texts(), ["2", "5"]);

  void general.publish({ text: "7" }, { echo: say("7") });
  next.reply(next.takeOne("chat:a").id, { epoch: "e", offset: 7 });
  await settle();
  assert.deepEqual(texts(), ["2", "5", "7"]);
  next.receive({ topic: "$gap", data: { topic: "chat:a", after: 5, to: 7, cause: "dropped" } });
  next.reply(next.takeOne("$subscribe").id, { epoch: "e", offset: 8, head: 8, snapshot: [say("8")] });
  await settle();
  assert.deepEqual(texts(), ["8"]);
  live.close();
});

test("an echo before there is a snapshot waits for it", async () => {
  const { live, server } = await connected();
  const room = live.subscribe("chat:a", { state: items() });
  void room.publish({ text: "2" }, { echo: say("2") });
  assert.equal(room.state.getSnapshot().value, undefined);
  const [subscribe, publish] = server.take();
  server.reply(publish?.id, { epoch: "e", offset: 2 });
  await settle();
  server.reply(subscribe?.id, { epoch: "e", offset: 1, head: 1, snapshot: [say("1")] });
  assert.deepEqual(room.state.getSnapshot().value, [say("1"), say("2")]);
  live.close();
});

test("an echo in a map stands under its key", async () => {
  const { live, server } = await connected();
  const quotes = live.subscribe("quotes", { state: items() });
  server.accept("e", 1, { snapshot: { A: quote("A", 1) } });
  const sent = quotes.publish(quote("A", 2), { echo: quote("A", 2), key: "A" });
  assert.deepEqual(quotes.state.getSnapshot().value, new Map([["A", quote("A", 2)]]));
  server.error(server.takeOne("quotes").id, 201, "forbidden");
  await assert.rejects(sent, { name: "forbidden" });
  await settle();
  assert.deepEqual(quotes.state.getSnapshot().value, new Map([["A", quote("A", 1)]]));
  live.close();
});

test("events that come while a snapshot is on its way fill no memory, and none is lost", async () => {
  const { live, server } = await connected();
  live.subscribe("sums", () => {});
  server.accept("e", 0);
  const sums = live.subscribe("sums", { state: reduced(({ sum }, event) => ({ sum: sum + event })) });
  const early = server.takeOne("$subscribe");
  for (let offset = 1; offset <= 5_000; offset++) server.event("sums", offset, 1);
  server.reply(early.id, { epoch: "e", offset: 1, head: 5_000, snapshot: { sum: 1 } });
  await settle();
  assert.equal(sums.state.getSnapshot().value, undefined, "older than what is held");
  mock.timers.tick(1_000);
  server.event("sums", 5_001, 1);
  server.reply(server.takeOne("$subscribe").id, { epoch: "e", offset: 4_500, head: 5_001, snapshot: { sum: 4_500 } });
  await settle();
  assert.deepEqual(sums.state.getSnapshot().value, { sum: 5_001 });
  live.close();
});

test("a closed subscription keeps its last state and asks for nothing", async () => {
  const { live, server } = await connected();
  live.subscribe("prices", () => {});
  server.accept("e", 1);
  const prices = live.subscribe("prices", { state: items() });
  const { id } = server.takeOne("$subscribe");
  prices.close();
  server.reply(id, { epoch: "e", offset: 1, head: 1, snapshot: [1] });
  await settle();
  assert.equal(prices.state.getSnapshot().value, undefined);
  server.receive({ topic: "$gap", data: { topic: "prices", after: 1, to: 4, cause: "dropped" } });
  assert.deepEqual(server.take(), []);
  live.close();
});

test("a wish makes the user a member, with the subscribe, on a live topic and after a reconnect", async () => {
  const parts = await connected();
  const { live, server } = parts;
  live.subscribe("chat:a", () => {});
  server.accept("e", 1);
  const room = live.subscribe("chat:a", () => {}, { presence: { status: "here" } });
  const { id, data } = server.takeOne("$subscribe");
  assert.deepEqual(data, { topic: "chat:a", snapshot: true, beside: true, presence: { status: "here" } });
  server.reply(id, { epoch: "e", offset: 1, head: 1, snapshot: [] });
  const away = room.setWish({ status: "away" });
  const wish = server.takeOne("$presence:chat:a");
  assert.deepEqual(wish.data, { status: "away" });
  server.reply(wish.id);
  await away;
  const next = await reconnect(parts, server);
  const again = next.accept("e", 1, { recovered: true });
  assert.deepEqual(again.data, { topic: "chat:a", since: { epoch: "e", offset: 1 }, presence: { status: "away" } });
  assert.deepEqual(next.take(), []);
  live.close();
});
