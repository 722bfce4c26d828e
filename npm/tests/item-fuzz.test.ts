// Streams against a server that sends whatever it likes: items mutated, of nobody, too many, after their end.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { stream, TidewireError } from "../src/index.js";
import { fixture, settle } from "./fake.js";
import { randomFrom, seedOf } from "./random.js";

const rounds = process.env.TIDEWIRE_LONG ? 200_000 : 10_000;
const seed = seedOf();

test(`mutated items break nothing (TIDEWIRE_SEED=${seed})`, async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
  const random = randomFrom(seed);
  const { live, errors, socket, state } = fixture();
  let server = await socket();
  await server.greet();
  const streams = { begun: 0, items: 0, open: 0 };
  const count = async () => {
    streams.begun++;
    streams.open++;
    const abort = new AbortController();
    const leaves = random(8) === 0;
    try {
      for await (const _ of stream(live, "count", { to: 9 }, { buffer: 1 + random(4), signal: abort.signal })) {
        streams.items++;
        if (random(20) === 0) abort.abort();
        if (leaves) break;
      }
    } catch (error) {
      assert(error instanceof TidewireError);
    }
    streams.open--;
  };
  const pieces = ["", "0", "-", "1e3", '"', "{", "}", "null", "$", '"re":1,', '"re":null,', "\\ud800"];
  const mutate = (text: string) => {
    const at = random(text.length + 1);
    return text.slice(0, at) + pieces[random(pieces.length)] + text.slice(at + random(4));
  };
  const calls: (number | undefined)[] = [];
  for (let round = 0; round < rounds; round++) {
    if (state().state !== "connected") {
      mock.timers.tick(20_000);
      server = await socket();
      await server.greet();
    }
    for (const { topic, id } of server.take()) if (topic === "$call") calls.push(id);
    const re = random(4) === 0 ? random(2 * streams.begun) : calls.at(-1 - random(3));
    const topic = random(10) > 0 ? "$item" : random(2) === 0 ? "$reply" : "$error";
    const frame = JSON.stringify({ topic, re, data: topic === "$error" ? { code: 201, name: "forbidden" } : round });
    server.receiveRaw(random(3) === 0 ? mutate(frame) : frame);
    if (random(2) === 0) {
      await settle();
      if (streams.open < 3) void count();
    }
    if (random(500) === 0) server.drop();
  }
  await settle();
  assert(streams.begun > 10 && streams.items > 10, JSON.stringify(streams));
  assert(errors.every((error) => error instanceof TidewireError));
  live.close();
  await settle();
  assert.equal(streams.open, 0, "every stream has ended");
});
