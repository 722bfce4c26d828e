// A scripted server: a WebSocket class whose other end is the test, and a connection that uses it.

import assert from "node:assert/strict";
import { mock } from "node:test";
import { connect, type ConnectOptions, type Schema } from "../src/index.js";

interface Message {
  user: string;
  text: string;
}
interface Topics {
  "chat:{room}": { event: Message; publish: { text: string }; snapshot: Message[]; presence: { status: string } };
  prices: { event: number; publish: never; snapshot: number[] };
  quotes: { event: Quote; publish: Quote; key: "symbol"; snapshot: { [key in string]: Quote } };
  sums: { event: number; publish: never; snapshot: { sum: number } };
}
interface Quote {
  symbol: string;
  price: number;
}
interface Calls {
  add: { args: [number, number]; reply: number };
  ping: { args: null; reply: null };
  count: { args: { to: number }; item: number };
}
/** The hashes of the schema; of the prices it can do with an earlier version of the server's. */
export const entries = { "chat:{room}": "00aa", prices: ["00bb", "00b0"], quotes: "00cc", sums: "00dd" };
/** The schema of the scripted server. */
export const schema: Schema<Topics, Calls> = { name: "Test", entries };

/** A frame as the client sent it. */
export interface Sent {
  topic: string;
  id?: number;
  mid?: string;
  epoch?: string;
  after?: number;
  data?: Record<string, unknown>;
}

/** One socket, seen from the server. */
export class FakeSocket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  readonly sent: Sent[] = [];
  readyState = 1;
  closedWith: number | undefined;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(code: number): void {
    this.closedWith = code;
  }

  receive(frame: unknown): void {
    this.receiveRaw(JSON.stringify(frame));
  }

  receiveRaw(data: unknown): void {
    this.onmessage?.({ data });
  }

  /** The connection ends. */
  drop(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason });
  }

  /** Takes the frames sent since the last call. */
  take(): Sent[] {
    return this.sent.splice(0);
  }

  /** Takes the one frame sent since the last call. */
  takeOne(topic: string): Sent {
    const frames = this.take();
    assert.deepEqual(frames.map((frame) => frame.topic), [topic]);
    return frames[0] as Sent;
  }

  event(topic: string, offset: number, data: unknown, prev = offset - 1, more: Record<string, unknown> = {}): void {
    this.receive({ topic, data, offset, prev, ...more });
  }

  reply(re: number | undefined, data: unknown = null): void {
    this.receive({ topic: "$reply", re, data });
  }

  item(re: number | undefined, data: unknown): void {
    this.receive({ topic: "$item", re, data });
  }

  error(re: number | undefined, code: number, name: string, message?: string): void {
    this.receive({ topic: "$error", re, data: { code, name, message } });
  }

  /** Opens, and answers the hello, which it gives. */
  async greet(more: Record<string, unknown> = {}): Promise<Sent> {
    this.onopen?.();
    await settle();
    const hello = this.takeFirst("$hello");
    const limits = { message_bytes: 4_194_304, subscriptions: 128 };
    const data = { version: 1, session: "s1", ping_ms: 25_000, pong_ms: 10_000, limits, ...more };
    this.receive({ topic: "$hello", re: hello.id, data });
    return hello;
  }

  /** Answers the one `$subscribe` that was sent. */
  accept(epoch: string, offset: number, more: Record<string, unknown> = {}): Sent {
    const frame = this.takeOne("$subscribe");
    this.reply(frame.id, { epoch, offset, head: offset, ...more });
    return frame;
  }

  /** Takes the oldest frame sent since the last call. */
  takeFirst(topic: string): Sent {
    const frame = this.sent.shift();
    assert.equal(frame?.topic, topic);
    return frame as Sent;
  }
}

/** Lets all promises that are ready run. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** A connection to a scripted server. */
export function fixture(options: Partial<ConnectOptions> = {}) {
  const sockets: FakeSocket[] = [];
  const errors: unknown[] = [];
  let made = () => {};
  const Class = class extends FakeSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      sockets.push(this);
      made();
    }
  };
  const live = connect(schema, {
    url: "wss://example.test/ws",
    WebSocket: Class,
    onError: (error) => errors.push(error),
    ...options,
  });
  /** The next socket that the client opens. */
  const socket = async (): Promise<FakeSocket> => {
    if (sockets.length === 0) await new Promise<void>((resolve) => (made = resolve));
    return sockets.shift() as FakeSocket;
  };
  return { live, errors, sockets, socket, state: () => live.connection.getSnapshot() };
}

/** Loses the connection, and gives the next one, greeted. */
export async function reconnect(parts: ReturnType<typeof fixture>, server: FakeSocket): Promise<FakeSocket> {
  server.drop();
  mock.timers.tick(Number(parts.state().retryAt) - Date.now());
  const next = await parts.socket();
  await next.greet();
  return next;
}

/** A connection that has been greeted. */
export async function connected(options: Partial<ConnectOptions> = {}, hello: Record<string, unknown> = {}) {
  const parts = fixture(options);
  const server = await parts.socket();
  await server.greet(hello);
  return { ...parts, server };
}
