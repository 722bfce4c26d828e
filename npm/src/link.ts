// One connection being made: a socket and the token that its hello carries, fetched while it opens.

import type { ErrorSink } from "./errors.js";
import type { Dial, Socket, SocketSink } from "./socket.js";

// Of the close codes only these, and not their table, so that a page which names no code does not carry all.
/** Closed on purpose. */
export const NORMAL = 1000;
/** Lost without a close frame. */
const ABNORMAL = 1006;

/** Gives the token for the next connection. */
export type TokenSource = () => string | undefined | Promise<string | undefined>;

/** Holds one socket at a time; nothing is heard of earlier ones. */
export class Link {
  /** The token of the present connection. */
  token: string | undefined;
  #socket: Socket | undefined;
  readonly #dial: Dial;
  readonly #source: TokenSource;
  readonly #onError: ErrorSink;
  readonly #sink: SocketSink;

  constructor(dial: Dial, source: TokenSource, onError: ErrorSink, sink: SocketSink) {
    this.#dial = dial;
    this.#source = source;
    this.#onError = onError;
    this.#sink = sink;
  }

  /** Opens a socket; the sink hears `opened` once the token is there too. Never calls the sink before it returns. */
  open(): void {
    const { message, closed } = this.#sink;
    this.shut(NORMAL);
    const opened = new Promise<void>((resolve) => {
      this.#socket = this.#dial({
        opened: resolve,
        message,
        closed: (code, reason) => {
          this.#socket = undefined;
          closed(code, reason);
        },
      });
    });
    const socket = this.#socket;
    // In a microtask of its own, so that no code of the page runs within this call.
    const fetched = Promise.resolve().then(this.#source);
    Promise.all([fetched, opened]).then(
      ([text]) => {
        if (this.#socket !== socket) return;
        this.token = text;
        this.#sink.opened();
      },
      (error: unknown) => {
        if (this.#socket !== socket) return;
        this.shut(NORMAL);
        this.#onError(error);
        this.#sink.closed(ABNORMAL, "");
      },
    );
  }

  send(text: string): void {
    this.#socket?.send(text);
  }

  /** Ends the connection; nothing more of it is heard. */
  shut(code: number): void {
    this.#socket?.close(code);
    this.#socket = undefined;
  }
}
