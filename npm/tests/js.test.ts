import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Export } from "../src/core.js";
import * as index from "../src/index.js";
import * as js from "../src/js.js";
import { translated } from "../src/translated.js";
import { FakeSocket, schema, settle } from "./fake.js";
import { randomFrom, seedOf } from "./random.js";

const rounds = process.env.TIDEWIRE_LONG ? 3_000_000 : 100_000;
const seed = seedOf();

type Exports = Record<Export, (...numbers: number[]) => number | undefined>;

test("tidewire/js has all that tidewire has", () => {
  assert.deepEqual(Object.keys(js), Object.keys(index));
});

test(`the translation does what the WASM does (TIDEWIRE_SEED=${seed})`, async () => {
  const { instance } = await WebAssembly.instantiate(readFileSync(new URL("../wasm/core.wasm", import.meta.url)));
  const cores = [instance.exports, (await translated()).instance.exports].map((exports) => {
    const functions = exports as Exports;
    const core = functions[Export.Create](seed) as number;
    // Only the functions; the first argument is the client.
    return (name: Export, ...numbers: number[]) => functions[name](core, ...numbers);
  });
  const random = randomFrom(seed);
  const both = (name: Export, ...numbers: number[]) => {
    const [wasm, javascript] = cores.map((call) => call(name, ...numbers));
    if (wasm !== undefined && wasm !== javascript) assert.equal(javascript, wasm, `${name}(${numbers})`);
    return wasm ?? 0;
  };
  let now = 1_700_000_000_000;
  const small = () => random(6);
  const offset = () => [random(8), random(2 ** 31) * 2 ** 22, Number.MAX_SAFE_INTEGER][random(12) < 10 ? 0 : random(3)] ?? 0;
  const inputs = [
    () => both(Export.Connect, now),
    () => random(50) === 0 && both(Export.Close, now),
    () => both(Export.Opened, random(2), now),
    () => random(8) === 0 && both(Export.Closed, random(2), [1000, 1006, 4000, 4002, 4100, 4200][random(6)] ?? 0, now),
    () => both(Export.Wake, now),
    () => both(Export.Elapsed, now),
    () => both(Export.Subscribe, small(), now),
    () => both(Export.Unsubscribe, small(), now),
    () => both(Export.Publish, small(), now),
    () => both(Export.Request, random(2), [random(60_000), Infinity, NaN, -1, 2 ** 64, 2 ** 63][random(12) < 7 ? 0 : random(6)] ?? 0, now),
    () => both(Export.Cancel, random(40), now),
    () => both(Export.Event, random(2), small(), offset(), offset(), now),
    () => both(Export.Frame, random(2), 1, random(40), 0, 0, 0, random(10) * 1e4, 1e4, 0, 25e3, 0, now),
    () => both(Export.Frame, random(2), random(12), random(40), small(), random(4), offset(), offset(), offset(), random(500), random(1e5), random(3), now),
  ];
  for (let round = 0; round < rounds; round++) {
    now += random(10) === 0 ? random(30_000) : random(50);
    inputs[random(inputs.length)]?.();
    while (both(Export.Poll) !== 0) for (const index of [0, 1, 2, 3]) both(Export.Arg, index);
    both(Export.Timeout);
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
