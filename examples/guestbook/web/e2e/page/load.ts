// A page that is open for long: it hears many messages, and many subscriptions come and go.

import { connect, type Live } from "tidewire";
import { guestbook } from "../../src/guestbook.schema.js";

/** Topics without a type, which these nodes let everybody have. */
interface Untyped {
  flood: { event: string; publish: never; snapshot: string[] };
  "passing:{number}": { event: string; publish: never; snapshot: string[] };
}

/** Events at once, within what a session's queue takes. */
const BATCH = 200;

/** Subscriptions at once, within what a session may have. */
const TOGETHER = 50;

let memory: WebAssembly.Memory | undefined;
const { instantiate } = WebAssembly;
WebAssembly.instantiate = (async (source: BufferSource, imports?: WebAssembly.Imports) => {
  const made = await instantiate(source, imports);
  memory = made.instance.exports.memory as WebAssembly.Memory;
  return made;
}) as typeof instantiate;

const faults: string[] = [];
const live = connect(guestbook, { url: "/ws", token: () => "Dee", onError: (error) => faults.push(String(error)) });
const untyped = live as unknown as Live<Untyped>;

let heard = 0;
let subscriptions = 0;
let reached = () => {};
let wanted = 0;
untyped.subscribe("flood", () => {
  heard += 1;
  if (heard === wanted) reached();
});

const load = {
  /** Hears so many messages. */
  async hear(messages: number): Promise<void> {
    const end = heard + messages;
    while (heard < end) {
      wanted = Math.min(heard + BATCH, end);
      const all = new Promise<void>((resolve) => {
        reached = resolve;
      });
      await live.send("flood", wanted - heard);
      await all;
    }
  },

  /** Subscribes to and unsubscribes from so many topics, no two alike. */
  async pass(pairs: number): Promise<void> {
    const end = subscriptions + pairs;
    while (subscriptions < end) {
      const some = Array.from({ length: Math.min(TOGETHER, end - subscriptions) }, () => {
        subscriptions += 1;
        return untyped.subscribe(`passing:${subscriptions}`, () => {});
      });
      await Promise.all(some.map(({ ready }) => ready));
      for (const subscription of some) subscription.close();
    }
  },

  report: () => ({ heard, subscriptions, wasmBytes: memory?.buffer.byteLength, faults }),
};

declare global {
  interface Window {
    readonly load: Load;
  }
}

export type Load = typeof load;

Object.assign(window, { load });
