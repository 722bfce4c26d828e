// What the visitor has written and the room has not shown yet: on its way, or failed.

import { useState } from "react";
import { ErrorCode, TidewireError } from "tidewire";
import type { FeedItem } from "./feed";
import { roomTopic } from "./rooms";
import type { ChatLive } from "./sign-in";

/** A message on its way. */
export interface Draft {
  readonly id: number;
  readonly text: string;
  /** The key of the room's newest item when it was sent. */
  readonly after: number;
  /** Whether the server has taken it; the room shows it any moment. */
  readonly isSent: boolean;
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

/** The outbox of a room whose items are `items`. */
export function useOutbox(live: ChatLive, room: string, me: string, items: readonly FeedItem[]): Outbox {
  const [drafts, setDrafts] = useState<readonly Draft[]>([]);
  // An event may come before or after the reply to its publish, and where the connection was lost in between there is no
  // reply: what the room shows is out, whatever became of the reply.
  const waiting = unseen(drafts, items, me);
  if (waiting.length < drafts.length) setDrafts(waiting);

  const change = (id: number, part: Partial<Draft>) =>
    setDrafts((drafts) => drafts.map((draft) => (draft.id === id ? { ...draft, ...part } : draft)));
  const discard = ({ id }: Draft) => setDrafts((drafts) => drafts.filter((draft) => draft.id !== id));
  const send = (words: string) => {
    // As the server will have it.
    const text = words.trim();
    const id = ++lastId;
    setDrafts((drafts) => [...drafts, { id, text, after: items.at(-1)?.key ?? 0, isSent: false }]);
    live.publish(roomTopic(room), { text }).then(
      () => change(id, { isSent: true }),
      (error: unknown) => change(id, { failure: explain(error) }),
    );
  };
  const retry = (draft: Draft) => {
    discard(draft);
    send(draft.text);
  };
  return { drafts: waiting, send, retry, discard };
}

/** The drafts that the room does not show yet. */
function unseen(drafts: readonly Draft[], items: readonly FeedItem[], me: string): readonly Draft[] {
  const taken = new Set<FeedItem>();
  return drafts.filter((draft) => {
    const shown = items.find((item) => {
      const isFree = item.key > draft.after && !taken.has(item);
      return isFree && item.message?.user === me && item.message.text === draft.text;
    });
    if (shown) taken.add(shown);
    return !shown;
  });
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
