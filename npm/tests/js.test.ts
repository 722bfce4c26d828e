import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as index from "../src/index.js";
import * as js from "../src/js.js";
import { translated } from "../src/translated.js";
import { FakeSocket, schema, settle } from "./fake.js";
import { randomFrom, seedOf } from "./random.js";

const rounds = process.env.TIDEWIRE_LONG ? 3_000_000 : 100_000;
const seed = seedOf();

type Exports = Record<string, (...numbers: number[]) => number>;

test("tidewire/js has all that tidewire has", () => {
  assert.deepEqual(Object.keys(js), Object.keys(index));
});

test(`the translation does what the WASM does (TIDEWIRE_SEED=${seed})`, async () => {
  const { instance } = await WebAssembly.instantiate(readFileSync(new URL("../wasm/core.wasm", import.meta.url)));
  const cores = [instance.exports, (await translated()).instance.exports].map((exports) => {
    const functions = exports as Exports;
    const core = functions.create?.(seed) ?? 0;
    // Only the functions; the first argument is the client.
    return (name: string, ...numbers: number[]) => functions[name]?.(core, ...numbers);
  });
  const random = randomFrom(seed);
  const both = (name: string, ...numbers: number[]) => {
    const [wasm, javascript] = cores.map((call) => call(name, ...numbers));
    if (wasm !== undefined && wasm !== javascript) assert.equal(javascript, wasm, `${name}(${numbers})`);
    return wasm ?? 0;
  };
  let now = 1_700_000_000_000;
  const small = () => random(6);
  const offset = () => [random(8), random(2 ** 31) * 2 ** 22, Number.MAX_SAFE_INTEGER][random(12) < 10 ? 0 : random(3)] ?? 0;
  const inputs = [
    () => both("connect", now),
    () => random(50) === 0 && both("close", now),
    () => both("opened", random(2), now),
    () => random(8) === 0 && both("closed", random(2), [1000, 1006, 4000, 4002, 4100, 4200][random(6)] ?? 0, now),
    () => both("wake", now),
    () => both("elapsed", now),
    () => both("subscribe", small(), now),
    () => both("unsubscribe", small(), now),
    () => both("publish", small(), now),
    () => both("request", random(2), [random(60_000), Infinity, NaN, -1, 2 ** 64, 2 ** 63][random(12) < 7 ? 0 : random(6)] ?? 0, now),
    () => both("cancel", random(40), now),
    () => both("event", random(2), small(), offset(), offset(), now),
    () => both("frame", random(2), 1, random(40), 0, 0, 0, random(10) * 1e4, 1e4, 0, 25e3, 0, now),
    () => both("frame", random(2), random(12), random(40), small(), random(4), offset(), offset(), offset(), random(500), random(1e5), random(3), now),
  ];
  for (let round = 0; round < rounds; round++) {
    now += random(10) === 0 ? random(30_000) : random(50);
    inputs[random(inputs.length)]?.();
    while (both("poll") !== 0) for (const index of [0, 1, 2, 3]) both("arg", index);
    both("timeout");
  }
});

test("it connects without WebAssembly", async () => {
  WebAssembly.instantiate = () => assert.fail("WebAssembly was used");
  let socket: FakeSocket | undefined;
  const WebSocket = class extends FakeSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      socket = this;
    }
  };
  const live = js.connect(schema, { url: "wss://example.test/ws", WebSocket, onError: (error) => assert.fail(String(error)) });
  const heard: string[] = [];
  live.subscribe("chat:a", ({ text }) => heard.push(text));
  while (!socket) await settle();
  await socket.greet();
  socket.accept("e", 41);
  socket.event("chat:a", 42, { text: "hello" });
  assert.deepEqual(heard, ["hello"]);
  live.close();
});
