import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";
import { connectWith, type CoreLoader } from "../src/index.js";
import { FakeSocket, schema, settle } from "./fake.js";

const bytes = readFileSync(new URL("../wasm/core.wasm", import.meta.url));

function connecting(load: CoreLoader) {
  const sockets: FakeSocket[] = [];
  class WebSocket extends FakeSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      sockets.push(this);
    }
  }
  const errors: unknown[] = [];
  const connect = connectWith(load);
  return { sockets, errors, connect: () => connect(schema, { url: "ws://test/ws", WebSocket, onError: (error) => errors.push(error) }) };
}

test("the core comes from where it is told, once for all connections", async () => {
  const load = mock.fn(() => WebAssembly.instantiate(bytes));
  const { connect, sockets } = connecting(load);
  const lives = [connect(), connect()];
  while (sockets.length < 2) await new Promise(setImmediate);
  assert.equal(load.mock.callCount(), 1);
  for (const live of lives) live.close();
});

test("a core may come from a compiled module", async () => {
  const module = await WebAssembly.compile(bytes);
  const { connect, sockets } = connecting(async () => ({ instance: await WebAssembly.instantiate(module) }));
  const live = connect();
  while (sockets.length < 1) await new Promise(setImmediate);
  live.close();
});

test("what fails to load is reported, and loaded anew by the next connection", async () => {
  let isThere = false;
  const cause = new Error("not found");
  const { connect, sockets, errors } = connecting(() => (isThere ? WebAssembly.instantiate(bytes) : Promise.reject(cause)));
  const first = connect();
  await settle();
  assert.equal(first.connection.getSnapshot().error?.cause, cause);
  assert.equal(errors.length, 1);
  isThere = true;
  const second = connect();
  while (sockets.length < 1) await new Promise(setImmediate);
  assert.equal(first.connection.getSnapshot().state, "closed");
  second.close();
});
