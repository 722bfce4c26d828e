// The way in: options, and their defaults from the runtime.

// First, because a page's file compresses best where the text of the WASM has code on one side only.
import { inlined } from "./inlined.js";
import { ErrorCode } from "./codes.js";
import { connection } from "./connection.js";
import { type CoreLoader, type CoreSource, coreSource } from "./core.js";
import { Driver } from "./driver.js";
import { type ErrorSink, reportUncaught, TidewireError } from "./errors.js";
import type { Live } from "./live.js";
import type { Schema } from "./schema.js";
import { type Dial, dialer, type WebSocketConstructor } from "./socket.js";

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** Where the server is: `wss://…`, `https://…` (made `wss:`), or a path such as `/ws` on the page's own host. */
  readonly url: string | URL;
  /**
   * The token that the server's `on_token` checks, or what gives it. A function is called anew for every connection and
   * has 10 seconds; if it throws, that is reported to {@link onError} and tried again later. It is also called in good time before
   * the identity that the server made of the last token ends. Default: none.
   */
  readonly token?: string | (() => string | undefined | Promise<string | undefined>) | undefined;
  /** The WebSocket class, for runtimes without one such as Node 20: that of the package `ws`. Default: the global one. */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /**
   * Takes errors that nobody waits for: what handlers and listeners throw, refusals of messages, faults of the server. Default: the
   * page's `error` event (`reportError`), or the console where there is none.
   */
  readonly onError?: ErrorSink | undefined;
}

/** The type of {@link connect}. */
export type Connect = <Topics, Calls>(schema: Schema<Topics, Calls>, options: ConnectOptions) => Live<Topics, Calls>;

/**
 * Connects to a Tidewire server, and stays connected until {@link Live.close} is called or the server says not to come back.
 *
 * Returns at once; whatever is called before the connection stands follows in order. Where a path leads nowhere, as while a page is
 * rendered on a server, the connection stays `idle`, and what is asked of it fails with an error that says so.
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
export const connect: Connect = /* @__PURE__ */ connectWith(inlined);

/**
 * A {@link connect} that takes the core from elsewhere instead of the package's own text, which is then not in the bundle: `tidewire/core.wasm`,
 * served as a file of its own or imported by a runtime that compiles only what was uploaded with the application.
 *
 * @example
 * const connect = connectWith(() => WebAssembly.instantiateStreaming(fetch("/core.wasm")));
 */
export function connectWith(load: CoreLoader): Connect {
  const newCore = coreSource(load);
  return (schema, options) => connection(driverOf(newCore, schema.entries, options)) as never;
}

function driverOf(newCore: CoreSource, entries: Schema<unknown>["entries"], options: ConnectOptions): Driver {
  const { url, token, onError = reportUncaught } = options;
  const address = socketUrl(url);
  const source = typeof token === "function" ? token : () => token;
  const driver = new Driver({ token: source, entries, onError });
  if (address !== undefined) {
    void driver.begin(newCore, dialOf(address, options));
  } else {
    const text = `${url} is a path, and there is no page whose host it could be on: give the whole address`;
    driver.refuse(new TidewireError(ErrorCode.not_sent, text));
  }
  return driver;
}

function dialOf(address: string, { WebSocket }: ConnectOptions): Dial {
  const Class = WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
  if (!Class) throw new TypeError("this runtime has no WebSocket: give the option `WebSocket`");
  return dialer(Class, address);
}

/** The address for a socket; `undefined` for a path where there is no page. */
function socketUrl(url: string | URL): string | undefined {
  const base = (globalThis as { location?: Location }).location?.href;
  const isPath = !/^\w+:/.test(`${url}`);
  if (isPath && base === undefined) return undefined;
  const address = new URL(url, base);
  address.protocol = address.protocol.replace(/^http/, "ws");
  address.hash = "";
  return address.href;
}
