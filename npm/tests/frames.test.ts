import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { frameText, pongFrame, requestText } from "../src/frames.js";

const { written }: { written: any[] } = JSON.parse(
  readFileSync(new URL("../../vectors/frames.json", import.meta.url), "utf8"),
);
const settle = () => {};
const request = { mid: undefined, fulfil: settle, reject: settle };

test("frames are written as the vectors say", () => {
  const seen = new Set<string>();
  for (const { frame, id, client, token, schema, topic, since, snapshot, beside, data, call, args, timeout_ms, items, of, text } of written) {
    seen.add(frame);
    const writers: Record<string, () => string> = {
      hello: () => requestText("$hello", id, { version: 1, client, token, schema }),
      subscribe: () => requestText("$subscribe", id, { topic, since: since ?? undefined, snapshot, beside }),
      unsubscribe: () => requestText("$unsubscribe", id, { topic }),
      publish: () => frameText(id, { ...request, topic, json: data }, undefined, 0),
      call: () => requestText("$call", id, { call, args: JSON.parse(args), timeout_ms, items }),
      more: () => requestText("$more", undefined, { id: of, items }),
      cancel: () => requestText("$cancel", undefined, { id: of }),
      ping: () => requestText("$ping", id, undefined),
      pong: () => pongFrame,
    };
    assert.equal(writers[frame]?.(), text);
  }
  assert.equal(seen.size, 9);
});

test("a publish that is sent again names its epoch and an offset", () => {
  const again = frameText(7, { ...request, topic: "chat:a", json: '{"text":"x"}', mid: "c-1" }, "e1", 4);
  assert.equal(again, '{"topic":"chat:a","id":7,"mid":"c-1","epoch":"e1","after":4,"data":{"text":"x"}}');
});
