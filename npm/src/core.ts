// The core: loading it, and the tables of its crate (client-wasm/core) in TypeScript.

import { ErrorCode } from "./codes.js";
import { TidewireError } from "./errors.js";

/** What {@link Export.Event} and {@link Export.Frame} answer: bits. */
export const enum Flag {
  /** The frame's data goes to its handlers. */
  Deliver = 1,
  /** There are outputs to poll. */
  Outputs = 2,
}

/** An output of the core; its arguments are numbers, here in their order. */
export const enum Op {
  None = 0,
  /** state, close code, `retry_at` */
  State = 1,
  Open = 2,
  /** close code */
  Shut = 3,
  /** id */
  Hello = 4,
  /** id, topic, epoch of `since` (0: no `since`), its offset */
  Subscribe = 5,
  /** id, topic */
  Unsubscribe = 6,
  /** id, the epoch that the frame must have (0: none), its offset */
  Publish = 7,
  Pong = 8,
  /** id, epoch, offset */
  Acked = 9,
  /** id, error code */
  Rejected = 10,
  /** topic, continuity, epoch, offset */
  Subscribed = 11,
  /** topic, error code, `retry_at` (0: its subscriptions are over) */
  Refused = 12,
  /** topic, cause, after, to */
  Gap = 13,
  /** how many */
  Malformed = 14,
  /** topic */
  ReleaseTopic = 15,
  /** epoch */
  ReleaseEpoch = 16,
  /** id: send what is kept under it */
  Request = 17,
  /** id: the frame at hand has the answer */
  Replied = 18,
  /** id of the call */
  Cancel = 19,
  /** id: fetch a token and send it */
  Token = 20,
  /** link: what follows is for its socket */
  Link = 21,
  /** id */
  Ping = 22,
}

/** What the module calls its functions, by what they do: the names are in the module and here, and a page loads both. */
export const enum Export {
  Create = "a",
  Free = "b",
  Connect = "c",
  Close = "d",
  Opened = "e",
  Closed = "f",
  Wake = "g",
  Elapsed = "h",
  Timeout = "i",
  Subscribe = "j",
  Unsubscribe = "k",
  Publish = "l",
  Request = "m",
  Cancel = "n",
  Event = "o",
  Frame = "p",
  Poll = "q",
  Arg = "r",
}

/** One client of the core. `now` is `Date.now()`: a clock that counts while the machine sleeps. */
export interface Core {
  /** Frees the client, which is not used again. */
  [Export.Free](): void;
  [Export.Connect](now: number): void;
  [Export.Close](now: number): void;
  /** The socket of a link is open. */
  [Export.Opened](link: number, now: number): void;
  /** The socket of a link is gone. */
  [Export.Closed](link: number, code: number, now: number): void;
  /** The page is visible again, or the network is back. */
  [Export.Wake](now: number): void;
  /** The timer fired. */
  [Export.Elapsed](now: number): void;
  /** When {@link Export.Elapsed} is to be called, `Infinity` for never. */
  [Export.Timeout](): number;
  [Export.Subscribe](topic: number, now: number): void;
  [Export.Unsubscribe](topic: number, now: number): void;
  /** Gives the number under which the payload is kept, as a signed one; `topic` is 0 if it has no number. */
  [Export.Publish](topic: number, now: number): number;
  /** Gives the number under which the frame is kept; `call`: 1 is done at most once, 2 is the same with a stream for its answer, 0 may be asked again; `timeoutMs`: 0 is never. */
  [Export.Request](call: number, timeoutMs: number, now: number): number;
  /** Nobody wants the outcome any more. */
  [Export.Cancel](id: number, now: number): void;
  /** An event: kind 9. */
  [Export.Event](link: number, topic: number, offset: number, prev: number, now: number): number;
  /** Any other frame: its tuple. */
  [Export.Frame](
    link: number,
    kind: number,
    re: number,
    topic: number,
    epoch: number,
    offset: number,
    prev: number,
    to: number,
    code: number,
    ms: number,
    flags: number,
    now: number,
  ): number;
  /** The next output. */
  [Export.Poll](): Op;
  /** An argument of the output that was polled last. */
  [Export.Arg](index: number): number;
}

/**
 * Loads the core: gives what {@link WebAssembly.instantiate} gives of the bytes of `tidewire/core.wasm`. A failure is reported, and the next
 * connection loads anew.
 */
export type CoreLoader = () => Promise<{ readonly instance: { readonly exports: object } }>;

/** Gives new clients of one core, which is loaded with the first. */
export type CoreSource = () => Promise<Core>;

/** The clients of the core that a loader gives. */
export function coreSource(load: CoreLoader): CoreSource {
  let loading: ReturnType<CoreLoader> | undefined;
  return async () => {
    loading ??= load();
    try {
      const { instance } = await loading;
      return newCore(instance.exports);
    } catch (cause) {
      loading = undefined;
      const text =
        "WebAssembly does not run here: a page's Content-Security-Policy needs 'wasm-unsafe-eval' in script-src, else import connect from tidewire/js";
      throw new TidewireError(ErrorCode.internal, text, { cause });
    }
  };
}

function newCore({ [Export.Create]: create, ...functions }: { readonly [Export.Create]?: unknown }): Core {
  // It only spreads reconnects.
  const client: unknown = (create as Function)(Math.random() * Number.MAX_SAFE_INTEGER);
  // The module's functions take the client first; what it exports besides, its memory, cannot be bound.
  const bound = Object.entries(functions).map(([name, value]) => [name, (value as Function).bind?.(undefined, client)]);
  return Object.fromEntries(bound) as Core;
}
