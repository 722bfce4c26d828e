// What the client sends: the text of each frame of wire.md section 4.

import type { Request } from "./requests.js";

/** The text of `$pong`. */
export const pongFrame = '{"topic":"$pong"}';

/** The text of what the page asked; with `epoch` again, the one that the topic must have, and an offset that it had then. */
export const frameText = (id: number, { topic, mid, json }: Request, epoch: string | undefined, after: number): string =>
  `${JSON.stringify({ topic, id, mid, epoch, after: epoch && after }).slice(0, -1)},"data":${json}}`;

/** The text of a request of the protocol. What of its data is `undefined` is left out. */
export const requestText = (topic: string, id: number | undefined, data?: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ topic, id, data });
