// One connection being made: a socket and the token that its hello carries, fetched while it opens.

import type { ErrorSink } from "./errors.js";
import { requestText } from "./frames.js";
import type { Dial, Socket, SocketSink } from "./socket.js";

// Of the close codes only these, and not their table, so that a page which names no code does not carry all.
/** Closed on purpose. */
export const NORMAL = 1000;
/** Lost without a close frame. */
const ABNORMAL = 1006;

/** Gives a token, a fresh one each time. */
export type TokenSource = () => string | undefined | Promise<string | undefined>;

/** Holds one socket at a time; nothing is heard of earlier ones. */
export interface Link {
  /** The token of the present connection. */
  token(): string | undefined;
  /** Opens a socket; the sink hears `opened` once the token is there too. Never calls the sink before it returns. */
  open(): void;
  /** Sends a fresh token to the server, if there is one. */
  renew(id: number): void;
  send(text: string): void;
  /** Ends the connection; nothing more of it is heard. */
  shut(code: number): void;
}

/** A link without a socket. */
export function link(dial: Dial, source: TokenSource, onError: ErrorSink, sink: SocketSink): Link {
  let token: string | undefined;
  let present: Socket | undefined;
  // In a microtask of its own, so that no code of the page runs within the call.
  const fetchToken = () => Promise.resolve().then(source);
  const shut = (code: number) => {
    present?.close(code);
    present = undefined;
  };
  const open = () => {
    shut(NORMAL);
    const opened = new Promise<void>((resolve) => {
      const ended = (code: number, reason: string) => {
        present = undefined;
        sink.ended(code, reason);
      };
      present = dial({ ...sink, opened: resolve, ended });
    });
    const socket = present;
    Promise.all([fetchToken(), opened]).then(
      ([text]) => {
        if (present !== socket) return;
        token = text;
        sink.opened();
      },
      (error: unknown) => {
        if (present !== socket) return;
        shut(NORMAL);
        onError(error);
        sink.ended(ABNORMAL, "");
      },
    );
  };
  const send = (text: string) => present?.send(text);
  const renew = (id: number) => {
    const socket = present;
    fetchToken().then((token) => {
      if (present === socket && token !== undefined) send(requestText("$token", id, { token }));
    }, onError);
  };
  return { token: () => token, open, renew, send, shut };
}
