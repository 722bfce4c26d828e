// A room's messages: those from before the visitor came, those that came since, and the places where some are missing.

import { reduced } from "tidewire";
import { useTopic } from "tidewire/react";
import type { ChatMessage, Visitor } from "./chat.schema";
import { roomTopic } from "./rooms";
import type { ChatLive } from "./sign-in";

/** A message; or without one a place where messages are missing for good, as after a restart of the server. */
export interface FeedItem {
  /** Grows from item to item. */
  readonly key: number;
  readonly message?: ChatMessage;
}

/** How many items a room keeps. */
const KEPT = 500;

const add = (items: readonly FeedItem[], messages: readonly (ChatMessage | undefined)[]): readonly FeedItem[] => {
  let key = items.at(-1)?.key ?? 0;
  return [...items, ...messages.map((message) => ({ key: ++key, ...(message && { message }) }))].slice(-KEPT);
};

const same = (a: ChatMessage) => (b: ChatMessage | undefined) => a.at_ms === b?.at_ms && a.user === b.user && a.text === b.text;

/**
 * What the room showed stays when the server gives its messages anew: those that are new are added, behind a gap if the two do not join.
 */
function join(snapshot: readonly ChatMessage[] = [], before: readonly FeedItem[] = []): readonly FeedItem[] {
  const shown = before.flatMap(({ message }) => message ?? []);
  const fresh = snapshot.filter((message) => !shown.some(same(message)));
  const joins = shown.length === 0 || fresh.length < snapshot.length;
  return add(before, joins ? fresh : [undefined, ...fresh]);
}

const feed = reduced((items: readonly FeedItem[], message: ChatMessage) => add(items, [message]), join);

/** A room, which is subscribed as long as the component is mounted, with the visitor shown there as `visitor`. */
export const useFeed = (live: ChatLive, room: string, visitor: Visitor) =>
  useTopic(live, roomTopic(room), { state: feed, presence: visitor });

/** What {@link useFeed} gives. */
export type Feed = ReturnType<typeof useFeed>;
