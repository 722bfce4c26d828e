// What the client sends: the text of each frame of wire.md section 4.

import type { Position } from "./subscription.js";

/** The version of the protocol. */
const VERSION = 1;

/** The text of `$pong`. */
export const pongFrame = '{"topic":"$pong"}';

/** The text of `$hello`. What is `undefined` is left out. */
export function helloFrame(
  id: number,
  client: string,
  token: string | undefined,
  schema: Readonly<Record<string, string>>,
): string {
  return JSON.stringify({ topic: "$hello", id, data: { version: VERSION, client, token, schema } });
}

/** The text of `$subscribe`, from a position on if there is one. */
export function subscribeFrame(id: number, topic: string, since: Position | undefined): string {
  return JSON.stringify({ topic: "$subscribe", id, data: { topic, since } });
}

/** The text of `$unsubscribe`. */
export function unsubscribeFrame(id: number, topic: string): string {
  return JSON.stringify({ topic: "$unsubscribe", id, data: { topic } });
}

/** The text of a publish or a message; `json` is the text of its data. */
export function publishFrame(id: number, topic: string, json: string): string {
  return `{"topic":${JSON.stringify(topic)},"id":${id},"data":${json}}`;
}
