// What a page can show about its connection.

import type { TidewireError } from "./errors.js";
import type { Store } from "./store.js";

/** The state of a connection at one moment. Immutable: every change makes a new one. */
export interface ConnectionState {
  /**
   * - `idle`: not begun, as when a page is rendered on a server;
   * - `connecting`: a socket is being opened, or the server has not yet greeted;
   * - `connected`: requests and events flow;
   * - `waiting`: the connection was lost, the next try is at {@link retryAt};
   * - `closed`: it will not come back by itself.
   */
  readonly state: "idle" | "connecting" | "connected" | "waiting" | "closed";
  /** The close code of the last connection, one of {@link CloseCode} or the application's; 0 before any ended. */
  readonly code: number;
  /** The text that came with the close code; empty where there was none. */
  readonly reason: string;
  /** When the next try begins, in milliseconds as of `Date.now()`; `undefined` unless `waiting`. */
  readonly retryAt: number | undefined;
  /** The session's id on the server, of the last connection that was greeted. */
  readonly session: string | undefined;
  /**
   * The entries of the schema, by pattern, that the server refuses because it was built with a different version of
   * them, and those it does not have. All others work. A page that has some should offer to reload itself.
   */
  readonly incompatible: readonly string[];
  /** Why the connection cannot work, where no close code tells, such as a page without WebAssembly. */
  readonly error: TidewireError | undefined;
}

/** The state of a connection, to be read and watched. */
export interface ConnectionStore extends Store<ConnectionState> {
  /**
   * Tries to connect now: where the connection waits for its next try, at most twice a second, and where the server ended it for good.
   * Does nothing after {@link Live.close}.
   */
  retry(): void;
}

/** Before anything happened. */
export const initialState: ConnectionState = {
  state: "idle",
  code: 0,
  reason: "",
  retryAt: undefined,
  session: undefined,
  incompatible: [],
  error: undefined,
};

/** The state by the core's number; it tells closed by the page from stopped by the server. */
export function stateOf(number: number): ConnectionState["state"] {
  const states = ["idle", "connecting", "connected", "waiting"] as const;
  return states[number] ?? "closed";
}

/** What the data of a hello's answer says of the connection. */
export function greeting(data: unknown): Pick<ConnectionState, "session" | "incompatible"> {
  const { session, schema } = data as { session?: string; schema?: Record<string, string> };
  const taken = ["same", "compatible"];
  const refused = Object.entries(schema ?? {}).filter(([, verdict]) => !taken.includes(verdict));
  return { session, incompatible: refused.map(([entry]) => entry) };
}
