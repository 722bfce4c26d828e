import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";
import { items, presence, TidewireError } from "../src/index.js";
import { fixture, settle } from "./fake.js";
import { randomFrom, seedOf } from "./random.js";

const rounds = process.env.TIDEWIRE_LONG ? 500_000 : 20_000;
/** One that found something once, and another. */
const seeds = [3836748275, seedOf()];

const vectors: { frames: { text: string }[] } = JSON.parse(
  readFileSync(new URL("../../vectors/tuples.json", import.meta.url), "utf8"),
);
// A drain would open sockets beside the one that is played with; the core's own tests send it at random.
const frames = vectors.frames.filter(({ text }) => !text.includes("$drain"));

function mutate(text: string, random: (below: number) => number): string {
  const at = random(text.length + 1);
  const pieces = ["", "0", "-", "1e3", '"', "{", "}", "null", "chat:general", "$", "\u0000", "\\ud800", '"re":1,', '"offset":9,"prev":8,'];
  return text.slice(0, at) + pieces[random(pieces.length)] + text.slice(at + random(4));
}

for (const seed of seeds) test(`mutated frames break nothing (TIDEWIRE_SEED=${seed})`, async () => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
  const random = randomFrom(seed);
  const { live, errors, socket, sockets, state } = fixture();
  live.subscribe("chat:general", () => {}, { onGap: () => {} });
  live.on("chat", () => {});
  const join = () => live.subscribe("chat:general", { state: items(), presence: { status: "here" } });
  const watch = () => presence(live, "chat:general");
  const isClosed = ({ status }: ReturnType<typeof join | typeof watch>) => status.getSnapshot().state === "closed";
  let room = join();
  let people = watch();
  let server = await socket();
  await server.greet();
  for (let round = 0; round < rounds; round++) {
    if (state().state !== "connected") {
      mock.timers.tick(20_000);
      server = await socket();
      await server.greet();
    }
    const [request] = server.take().filter(({ topic }) => topic === "$subscribe");
    const snapshot = [undefined, [], {}, { count: 5 }, 5, "text", null][random(7)];
    if (request && random(2) === 0) server.reply(request.id, { epoch: `e${random(3)}`, offset: random(60), head: 60, snapshot });
    const frame = frames[random(frames.length)]?.text ?? "";
    server.receiveRaw(random(4) === 0 ? frame : mutate(frame, random));
    if (random(10) === 0) {
      await settle();
      room.state.getSnapshot();
      people.getSnapshot();
      if (isClosed(room)) room = join();
      if (isClosed(people)) people = watch();
    }
    if (random(100) === 0) mock.timers.tick(random(5_000));
  }
  await settle();
  assert(errors.every((error) => error instanceof TidewireError));

  server.drop();
  mock.timers.tick(20_000);
  assert.equal(sockets.length, 1);
  server = await socket();
  await server.greet();
  server.take();
  const prices: number[] = [];
  live.subscribe("prices", (price) => prices.push(price));
  server.accept("e", 0);
  server.event("prices", 1, 5);
  assert.deepEqual(prices, [5], "the client still works");
  const list = live.subscribe("prices", { state: items() });
  server.reply(server.takeOne("$subscribe").id, { epoch: "e", offset: 1, head: 1, snapshot: [5] });
  await settle();
  assert.deepEqual(list.state.getSnapshot().value, [5]);
  live.close();
});
