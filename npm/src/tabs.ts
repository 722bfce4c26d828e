// The entry `tidewire/tabs`: one socket for all tabs of an origin.
//
// Reading order: share → tab (who leads) → line (a client's socket, whose other end is there) → leader, trunk, shared-topic (the one
// socket, and what of it is whose) → watch.

import { type Connect, type ConnectOptions, connect as connectAlone, type Live, type Schema } from "./index.js";
import { pageHere, share } from "./share.js";

/** Options of {@link connect}: those of `tidewire`, and with whom to share. */
export interface TabsOptions extends ConnectOptions {
  /**
   * The user's id: tabs share a connection only where this is equal, and the URL, the schema and the version of this package. It must name
   * whom the `token` names, since the server sees the token of one of them: never give two users the same.
   */
  readonly shareAs: string;
}

/**
 * Connects to a Tidewire server as `connect` of `tidewire` does, with one socket for all tabs of this origin that share.
 *
 * Each tab has its own subscriptions, state and errors. One of them holds the socket; when it is closed, frozen or silent another takes
 * over, and every tab goes on where it was. Where the browser lacks Web Locks or BroadcastChannel, as on a page without HTTPS, each tab
 * has a socket of its own.
 *
 * @example
 * import { connect } from "tidewire/tabs";
 * import { chat } from "./chat.schema";
 *
 * const live = connect(chat, { url: "/ws", token: () => fetchToken(), shareAs: user.id });
 *
 * @throws TypeError as `connect` of `tidewire` does, and if `shareAs` is no text or empty.
 */
export const connect: ConnectTabs = /* @__PURE__ */ shareWith(connectAlone);

/** A {@link connect} of tabs. */
export type ConnectTabs = <Topics, Calls>(schema: Schema<Topics, Calls>, options: TabsOptions) => Live<Topics, Calls>;

/**
 * A {@link connect} whose clients are made by another `connect` than that of `tidewire`: that of `tidewire/js`, or one of `connectWith`.
 *
 * @example
 * import { connect as connectAlone } from "tidewire/js";
 *
 * const connect = shareWith(connectAlone);
 */
export function shareWith(connect: Connect): ConnectTabs {
  return (schema, { shareAs, ...options }) => {
    if (typeof shareAs !== "string" || !shareAs) {
      throw new TypeError("`shareAs` is the user's id, by which tabs know that they may share a connection: it is no text, or empty");
    }
    return share(pageHere(), connect, schema, options, shareAs);
  };
}
