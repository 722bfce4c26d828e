import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { helloFrame, pongFrame, publishFrame, subscribeFrame, unsubscribeFrame } from "../src/frames.js";

const { written }: { written: any[] } = JSON.parse(
  readFileSync(new URL("../../vectors/frames.json", import.meta.url), "utf8"),
);

test("frames are written as the vectors say", () => {
  const seen = new Set<string>();
  for (const { frame, id, client, token, schema, topic, since, data, text } of written) {
    seen.add(frame);
    const writers: Record<string, () => string> = {
      hello: () => helloFrame(id, client, token, schema),
      subscribe: () => subscribeFrame(id, topic, since ?? undefined),
      unsubscribe: () => unsubscribeFrame(id, topic),
      publish: () => publishFrame(id, topic, data),
      pong: () => pongFrame,
    };
    assert.equal(writers[frame]?.(), text);
  }
  assert.equal(seen.size, 5);
});
