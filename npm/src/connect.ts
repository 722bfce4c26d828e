// The way in: options, and their defaults from the runtime.

import { Connection } from "./connection.js";
import { Driver } from "./driver.js";
import { type ErrorSink, reportUncaught } from "./errors.js";
import type { Live } from "./live.js";
import type { Schema } from "./schema.js";
import { type Dial, dialer, type WebSocketConstructor } from "./socket.js";

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** Where the server is: `wss://…`, `https://…` (made `wss:`), or a path such as `/ws` on the page's own host. */
  readonly url: string | URL;
  /**
   * The token that the server's `on_token` checks, or what gives it. A function is called anew for every connection and
   * has 10 seconds; if it throws, that is reported to {@link onError} and tried again later. Default: none.
   */
  readonly token?: string | (() => string | undefined | Promise<string | undefined>) | undefined;
  /** The WebSocket class, for runtimes without one such as Node 20: that of the package `ws`. Default: the global one. */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /**
   * Takes errors that nobody waits for: what handlers throw, refusals of messages, faults of the server. Default: the
   * page's `error` event (`reportError`), or the console where there is none.
   */
  readonly onError?: ErrorSink | undefined;
}

/**
 * Connects to a Tidewire server, and stays connected until {@link Live.close} is called or the server says not to come back.
 *
 * Returns at once; whatever is called before the connection stands follows in order. While a page is rendered on a server,
 * where a path leads nowhere, the connection stays `idle` and asks nobody.
 *
 * @example
 * import { connect } from "tidewire";
 * import { chat } from "./chat.schema";
 *
 * const live = connect(chat, { url: "/ws" });
 * live.subscribe("chat:general", (message) => console.log(message.text));
 * await live.publish("chat:general", { text: "hello" });
 *
 * @throws TypeError if the URL is none, or the runtime has no WebSocket and none was given.
 */
export function connect<Topics>(schema: Schema<Topics>, options: ConnectOptions): Live<Topics> {
  const { token, onError = reportUncaught } = options;
  const dial = dialOf(options);
  const source = typeof token === "function" ? token : () => token;
  const driver = new Driver({ token: source, entries: schema.entries, onError });
  if (dial) void driver.start(dial);
  return new Connection(driver) as Live<Topics>;
}

/** How to reach the server; `undefined` where a path leads nowhere. */
function dialOf({ url, WebSocket }: ConnectOptions): Dial | undefined {
  const address = socketUrl(url);
  if (address === undefined) return undefined;
  const Class = WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
  if (!Class) throw new TypeError("this runtime has no WebSocket: give the option `WebSocket`");
  return dialer(Class, address);
}

/** The address for a socket; `undefined` for a path where there is no page. */
function socketUrl(url: string | URL): string | undefined {
  const base = (globalThis as { location?: Location }).location?.href;
  const isPath = !/^[a-z][a-z0-9+.-]*:/i.test(String(url));
  if (isPath && base === undefined) return undefined;
  const address = new URL(url, base);
  address.protocol = address.protocol.replace(/^http/, "ws");
  address.hash = "";
  return address.href;
}
