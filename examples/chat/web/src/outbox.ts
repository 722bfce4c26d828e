// What the visitor has written: on its way, until the room shows it, or failed.

import { useState } from "react";
import { ErrorCode, TidewireError } from "tidewire";
import type { Feed } from "./feed";

/** A message on its way, or one that failed. */
export interface Draft {
  readonly id: number;
  readonly text: string;
  /** Why the server has not taken it. */
  readonly failure?: string;
}

/** What {@link useOutbox} gives. */
export interface Outbox {
  readonly drafts: readonly Draft[];
  send(text: string): void;
  retry(draft: Draft): void;
  discard(draft: Draft): void;
}

let lastId = 0;

/** What the visitor `me` sends to a room. */
export function useOutbox({ pending, publish }: Feed, me: string): Outbox {
  const [failed, setFailed] = useState<readonly Draft[]>([]);
  const discard = ({ id }: Draft) => setFailed((failed) => failed.filter((draft) => draft.id !== id));
  const send = (words: string) => {
    // As the server will have it.
    const text = words.trim();
    const at_ms = Date.now();
    publish({ text }, { echo: { user: me, text, at_ms } }).catch((error: unknown) => {
      setFailed((failed) => [...failed, { id: ++lastId, text, failure: explain(error) }]);
    });
  };
  const retry = (draft: Draft) => {
    discard(draft);
    send(draft.text);
  };
  const waiting = pending.map(({ text }, index) => ({ id: -1 - index, text }));
  return { drafts: [...failed, ...waiting], send, retry, discard };
}

/** Why a publish failed, in words for the visitor. */
function explain(error: unknown): string {
  if (!(error instanceof TidewireError)) return String(error);
  switch (error.code) {
    case ErrorCode.unknown:
      return "The connection was lost: this may or may not have been sent.";
    case ErrorCode.not_sent:
    case ErrorCode.closed:
      return "Not sent: there is no connection.";
    case ErrorCode.incompatible:
      return "Not sent: this page is older than the server.";
    default:
      return error.message;
  }
}
