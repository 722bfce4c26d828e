import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Leader } from "../src/leader.js";
import type { Down } from "../src/line.js";
import type { SocketSink } from "../src/socket.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
});

/** A leader, the sockets it opened, and tabs that keep what they are told. */
function fixture() {
  const sinks: SocketSink[] = [];
  const errors: unknown[] = [];
  const network = { fails: false };
  const dial = (sink: SocketSink) => {
    if (network.fails) throw new Error("insecure");
    sinks.push(sink);
    return { send() {}, close() {} };
  };
  const leader = new Leader(dial, "common", (error) => errors.push(error));
  const tab = (isOwn: boolean, isEager: boolean) => {
    const told: Down[] = [];
    const peer = leader.join(isOwn, isEager, (message) => told.push(message));
    return { peer, told, open: (line: number) => leader.receive(peer, { op: "open", line }) };
  };
  return { leader, sinks, errors, network, tab };
}

test("a tab that is not shown waits until one that is, or the leading one, tries", () => {
  const { leader, sinks, tab } = fixture();
  const hidden = tab(false, false);
  hidden.open(1);
  assert.equal(sinks.length, 0);
  leader.receive(hidden.peer, { op: "eager", eager: true });
  assert.equal(sinks.length, 1);
  sinks[0]?.ended(1006, "");
  assert.deepEqual(hidden.told.at(-1), { op: "closed", line: 1, code: 1006, reason: "" });
  leader.receive(hidden.peer, { op: "eager", eager: false });
  hidden.open(2);
  assert.equal(sinks.length, 1);
  tab(true, false).open(1);
  assert.equal(sinks.length, 2);
  sinks[1]?.opened();
  assert.deepEqual(hidden.told.at(-1), { op: "opened", line: 2 });
});

test("a try that fails ends the lines of those that try, and leaves the others waiting", () => {
  const { sinks, tab } = fixture();
  const own = tab(true, true);
  const hidden = tab(false, false);
  own.open(1);
  hidden.open(1);
  sinks[0]?.ended(1006, "");
  assert.equal(own.told.at(-1)?.op, "closed");
  assert.equal(hidden.told.at(-1)?.op, "welcome");
  own.open(2);
  sinks[1]?.opened();
  assert.deepEqual(hidden.told.at(-1), { op: "opened", line: 1 });
});

test("a socket that the runtime refuses is reported, and its lines end", () => {
  const { errors, network, tab } = fixture();
  network.fails = true;
  const own = tab(true, true);
  own.open(1);
  assert.deepEqual(errors.map(String), ["Error: insecure"]);
  assert.deepEqual(own.told.at(-1), { op: "closed", line: 1, code: 1006, reason: "" });
});

test("a tab that takes nothing is cut off, one that takes what it gets is not", () => {
  const { leader, sinks, tab } = fixture();
  const [own, slow, quick] = [tab(true, true), tab(false, true), tab(false, true)];
  for (const { open } of [own, slow, quick]) open(1);
  sinks[0]?.opened();
  for (const { peer } of [own, slow, quick]) {
    leader.receive(peer, { op: "text", line: 1, text: JSON.stringify({ topic: "$hello", id: 1, data: {} }) });
  }
  sinks[0]?.heard(JSON.stringify({ topic: "$hello", re: 1, data: { ping_ms: 0, pong_ms: 0 } }));
  const text = JSON.stringify({ topic: "news", data: "x".repeat(1024 * 1024) });
  for (let sent = 0; sent < 20; sent++) {
    sinks[0]?.heard(text);
    for (const { peer } of [own, quick]) leader.receive(peer, { op: "took", chars: text.length });
  }
  assert.deepEqual(slow.told.at(-1), { op: "closed", line: 1, code: 4001, reason: "" });
  assert.deepEqual([own, quick].map(({ told }) => told.at(-1)?.op), ["text", "text"]);
});
