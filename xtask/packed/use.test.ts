// What a fresh project does with the packed package. The suite `packed` copies this beside the chat example's schema, installs
// the tarball, compiles with strict types and no `skipLibCheck`, and runs it in Node against the chat server.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connect } from "tidewire";
import { connect as connectTabs } from "tidewire/tabs";
import WebSocket from "ws";
import { chat, type ChatMessage } from "./chat.schema.js";

const url = process.env["CHAT_URL"];
assert(url, "CHAT_URL is the address of the chat server's socket");
const join = (name: string) => connect(chat, { url, token: name, WebSocket });

test("two clients hear each other, by a handler and by a loop", { timeout: 10_000 }, async () => {
  const ann = join("Ann");
  const bob = join("Bob");
  const room = ann.subscribe("chat:packed");
  const heard = new Promise<ChatMessage>((resolve) => bob.subscribe("chat:packed", resolve));
  await room.ready;

  // Bob's own publish follows his subscription, so both hear it.
  const { offset } = await bob.publish("chat:packed", { text: "hello" });

  assert.equal(offset, 1);
  const { user, text } = await heard;
  assert.deepEqual({ user, text }, { user: "Bob", text: "hello" });
  for await (const message of room) {
    assert.equal(message.text, "hello");
    break;
  }
  ann.close();
  bob.close();
});

test("a payload of another type does not compile, and the server refuses it", { timeout: 10_000 }, async () => {
  const live = join("Eve");
  // @ts-expect-error text is a string
  await assert.rejects(live.publish("chat:packed", { text: 5 }), { name: "invalid_data" });
  live.close();
});

test("a page of another version goes on where an entry fits, and is refused it where not", { timeout: 10_000 }, async () => {
  const pattern = "chat:{room}";
  const page = (name: string, hashes: string | string[]) =>
    connect({ ...chat, entries: { ...chat.entries, [pattern]: hashes } }, { url, token: name, WebSocket });
  const other = "0000000000000001";
  // As a page that is newer than the server names the version that it can do with.
  const newer = page("New", [other, String(chat.entries[pattern])]);
  await newer.subscribe("chat:versions").ready;
  assert.deepEqual(newer.connection.getSnapshot().incompatible, []);
  assert((await newer.publish("chat:versions", { text: "hello" })).offset > 0);
  newer.close();

  const stranger = page("Old", other);
  await assert.rejects(stranger.subscribe("chat:versions").ready, (error: Error) => {
    assert.equal(error.name, "incompatible");
    assert(error.message.includes(`\`${pattern}\``), error.message);
    return true;
  });
  await stranger.subscribe("lobby").ready;
  const { state, incompatible, session } = stranger.connection.getSnapshot();
  assert.deepEqual({ state, incompatible }, { state: "connected", incompatible: [pattern] });
  assert(session);
  stranger.close();
});

test("where no tabs are it is a client like any other", { timeout: 10_000 }, async () => {
  const live = connectTabs(chat, { url, token: "Tab", shareAs: "Tab", WebSocket });
  const { offset } = await live.publish("chat:tabs", { text: "hello" });
  assert.equal(offset, 1);
  live.close();
});

test("its licences come with it, where tools look for them", () => {
  for (const license of ["LICENSE-APACHE", "LICENSE-MIT"]) {
    assert.match(readFileSync(`node_modules/tidewire/${license}`, "utf8"), /licen[sc]e|permission is hereby granted/i);
  }
});
