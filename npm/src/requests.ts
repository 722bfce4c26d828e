// Publishes and messages until they are answered, by the core's number.

import { publishFrame } from "./frames.js";
import type { Position } from "./subscription.js";

/** One publish on its way. */
export interface Request {
  readonly topic: string;
  /** The text of the data; dropped once sent, for nothing is sent twice. */
  json: string;
  resolve(position: Position): void;
  reject(error: unknown): void;
}

/** The open requests. */
export class Requests {
  readonly #open = new Map<number, Request>();

  add(id: number, request: Request): void {
    this.#open.set(id, request);
  }

  /** The text of the frame to send. */
  frame(id: number): string {
    const request = this.#open.get(id) as Request;
    const text = publishFrame(id, request.topic, request.json);
    request.json = "";
    return text;
  }

  resolve(id: number, position: Position): void {
    this.#open.get(id)?.resolve(position);
    this.#open.delete(id);
  }

  reject(id: number, error: unknown): void {
    this.#open.get(id)?.reject(error);
    this.#open.delete(id);
  }

  rejectAll(error: unknown): void {
    for (const id of this.#open.keys()) this.reject(id, error);
  }
}
