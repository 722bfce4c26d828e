import assert from "node:assert/strict";
import { test } from "node:test";
import { fixture, settle } from "./fake.js";

// In a file of its own: the module is loaded once for all connections.
test("where WebAssembly does not run, everything says so", { skip: process.env.TIDEWIRE_CORE === "js" }, async () => {
  const cause = new Error("refused by the page's policy");
  WebAssembly.instantiate = () => Promise.reject<never>(cause);
  const { live, errors, sockets, state } = fixture();
  const room = live.subscribe("chat:a", () => {});
  await assert.rejects(live.publish("chat:a", { text: "x" }), /wasm-unsafe-eval/);
  await assert.rejects(room.ready, /wasm-unsafe-eval/);
  await settle();
  assert.equal(state().state, "closed");
  assert.equal(state().error?.cause, cause);
  assert.deepEqual(errors, [state().error]);
  assert.equal(sockets.length, 0);
  await assert.rejects(live.send("x", 1), /wasm-unsafe-eval/);
  live.close();
});
