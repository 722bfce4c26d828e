// What a tab's client takes for its socket: one end is here, the other at the tab that leads.

/** What a tab says to the tab that leads. A line is one connection of the tab's client, by a number of the tab's. */
export type Up =
  | { readonly op: "open" | "close"; readonly line: number }
  | { readonly op: "text"; readonly line: number; readonly text: string }
  /** Whether the tab is shown: one that is not waits for others to try a server that is away. */
  | { readonly op: "eager"; readonly eager: boolean }
  /** So many characters of text were taken. */
  | { readonly op: "took"; readonly chars: number }
  /** Asks for any answer. */
  | { readonly op: "ask" };

/** What the tab that leads says to a tab. */
export type Down =
  /** Lines may be opened. `client` is what all leaders call themselves to the server. */
  | { readonly op: "welcome"; readonly client: string }
  | { readonly op: "opened"; readonly line: number }
  | { readonly op: "text"; readonly line: number; readonly text: string }
  | { readonly op: "closed"; readonly line: number; readonly code: number; readonly reason: string }
  /** The server has greeted: whoever waits for a next try may try now. */
  | { readonly op: "back" }
  /** The answer to `ask`. */
  | { readonly op: "here" };

/** Where lines are opened. */
export interface Exchange {
  open(line: Line, url: string): void;
  send(line: Line, text: string): void;
  hangUp(line: Line): void;
}

/** A line, in the form of a WebSocket: the part of it that a client uses. */
export class Line {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: unknown;
  /** The tab's number of it; 0 when it is over. */
  number = 0;
  /** Whether the tab that leads was asked for it. */
  isAsked = false;
  /** The server knows that one as another client instance than the one with which the client last had a connection. */
  isOther = false;
  readonly #exchange: Exchange;

  constructor(exchange: Exchange, url: string) {
    this.#exchange = exchange;
    exchange.open(this, url);
  }

  send(text: string): void {
    this.#exchange.send(this, text);
  }

  close(): void {
    this.#exchange.hangUp(this);
  }
}
