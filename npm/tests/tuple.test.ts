import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Names } from "../src/names.js";
import { emptyTuple, parseFrame, readFrame } from "../src/tuple.js";

interface Case {
  about?: string;
  text: string;
  tuple: Record<string, unknown> & { topic?: string };
}
const { frames }: { frames: Case[] } = JSON.parse(
  readFileSync(new URL("../../vectors/tuples.json", import.meta.url), "utf8"),
);

test("frames are read as the vectors say", () => {
  const out = emptyTuple();
  for (const { about = "", text, tuple } of frames) {
    const topics = new Names();
    const epochs = new Names();
    if (tuple.topic) topics.intern(tuple.topic);
    readFrame(parseFrame(text), topics, epochs, out);
    const expected = { ...emptyTuple(), topic: "", epoch: "", ...tuple };
    // The core sees a zero in either.
    out.prev ||= 0;
    assert.deepEqual({ ...out, topic: topics.textOf(out.topic), epoch: epochs.textOf(out.epoch) }, expected, `${about}: ${text}`);
  }
  assert(frames.length > 100);
});

test("a topic without a number stays so, unless the server subscribed it", () => {
  const topics = new Names();
  const out = emptyTuple();
  const read = (frame: Record<string, unknown>) => readFrame(frame, topics, new Names(), out);
  read({ topic: "a", offset: 1, prev: 0 });
  read({ topic: "a" });
  read({ topic: "$gap", data: { topic: "a", after: 1, to: 2, cause: "lost" } });
  read({ topic: "$unsubscribed", data: { topic: "a", code: 201 } });
  assert.deepEqual([out.topic, topics.numberOf("a")], [0, 0]);
  read({ topic: "$subscribed", data: { topic: "a", epoch: "e", offset: 1 } });
  assert.deepEqual([out.topic, topics.numberOf("a")], [1, 1]);
});

test("a malformed frame gives no name a number", () => {
  const topics = new Names();
  const epochs = new Names();
  readFrame({ topic: "$subscribed", data: { topic: "a", epoch: "e", offset: -1 } }, topics, epochs, emptyTuple());
  readFrame({ topic: "$reply", re: -1, data: { epoch: "e" } }, topics, epochs, emptyTuple());
  assert.deepEqual([topics.numberOf("a"), epochs.numberOf("e")], [0, 0]);
});
