/// <reference lib="esnext.disposable" preserve="true" />
// Calls that are answered by a stream.
//
// Apart from the rest: a page that makes none does not carry this.

import { ErrorCode } from "./codes.js";
import { type Core, Export } from "./core.js";
import { dispose } from "./dispose.js";
import type { Driver } from "./driver.js";
import { TidewireError } from "./errors.js";
import { requestText } from "./frames.js";
import type { Link } from "./link.js";
import type { Live } from "./live.js";
import { Queue } from "./queue.js";
import type { ArgsOf, ItemOf, StreamOf } from "./schema.js";

/** Options of {@link stream}. */
export interface StreamOptions {
  /** Milliseconds until the stream ends with `timeout`, the time without a connection included; `Infinity` for never. Default: never. */
  readonly timeout?: number | undefined;
  /** Cancels the call, and ends the stream with `cancelled`; the error's `cause` is the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How many items may wait for the loop; the server sends no more than there is room for. Fewer need less memory where items are large, more
   * keep a fast loop busy over a long way. At least 1, `Infinity` for no bound. Default: 256.
   */
  readonly buffer?: number | undefined;
}

/**
 * The items of a call, to be read with `for await`, once. Leaving the loop cancels the call.
 *
 * It ends where the server's stream does. It throws a {@link TidewireError}, after the items that came before: the server's reason; `timeout`;
 * `not_sent` if the call never left; `unknown` if the connection ended; `cancelled`; `closed`.
 */
export interface ItemStream<Item> extends AsyncIterableIterator<Item, undefined>, Disposable {
  /** Cancels the call and ends the loop. What waits is dropped. */
  close(): void;
}

/**
 * Makes a call that is answered by a stream. It is made at once, and once: after a lost connection it is not begun again.
 *
 * A loop that is slow slows the server's stream; nothing is left out.
 *
 * @example
 * for await (const line of stream(live, "logs.tail", { service: "web" })) {
 *   console.log(line.text);
 *   if (line.text === "ready") break;
 * }
 */
export function stream<Topics, Calls, const Call extends StreamOf<Calls>>(
  live: Live<Topics, Calls>,
  call: Call,
  args: ArgsOf<Calls, Call>,
  { timeout = Infinity, signal, buffer = 256 }: StreamOptions = {},
): ItemStream<ItemOf<Calls, Call>> {
  const { driver } = live as unknown as { driver: Driver };
  const room = Math.max(1, buffer);
  const stop = new AbortController();
  const items = new Queue<ItemOf<Calls, Call>>(room, () => stop.abort());
  const abort = () => stop.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  let id = 0;
  /** The link on which items come, until the end. */
  let source: Link | undefined;
  /** Taken by the loop, and the server does not know. */
  let taken = 0;

  const take = (item: unknown, link: Link | undefined) => {
    source = link;
    if (items.push(item as ItemOf<Calls, Call>)) return;
    // The server sent more than it may.
    items.end(new TidewireError(ErrorCode.limit, "the server sent items for which there is no room"));
    stop.abort();
  };
  const end = (error?: unknown) => {
    source = undefined;
    driver.takers.delete(id);
    signal?.removeEventListener("abort", abort);
    items.end(error);
  };
  const begin = (core: Core, now: number) => {
    id = core[Export.Request](2, timeout, now) >>> 0;
    driver.takers.set(id, take);
    return id;
  };
  const data = { call, args, timeout_ms: timeout < Infinity ? Math.ceil(timeout) : undefined, items: room };
  driver.ask("$call", data, stop.signal, begin).then(() => end(), end);

  const close = () => void items.return();
  return {
    async next() {
      const result = await items.next();
      // Told in halves, so that a fast loop need not wait for a round trip.
      if (!result.done && ++taken * 2 >= room) {
        source?.send(requestText("$more", undefined, { id, items: taken }));
        taken = 0;
      }
      return result;
    },
    return: () => items.return(),
    close,
    [dispose]: close,
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
