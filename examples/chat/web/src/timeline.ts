// How a room's items are laid out: days, and runs of messages by one author.

import type { ChatMessage } from "./chat.schema";
import type { FeedItem } from "./feed";

/** A part of the list of messages. */
export type Block =
  | { readonly kind: "day"; readonly key: string; readonly at_ms: number }
  | { readonly kind: "gap"; readonly key: string }
  | { readonly kind: "group"; readonly key: string; readonly user: string; readonly messages: readonly ChatMessage[] };

/** Messages of one author are one group unless there is a pause as long as this. */
const PAUSE_MS = 5 * 60_000;

/** The blocks of some items, in order. */
export function timeline(items: readonly FeedItem[]): readonly Block[] {
  const blocks: Block[] = [];
  let group: ChatMessage[] = [];
  let day = "";
  for (const { key, message } of items) {
    if (!message) {
      // Two holes with nothing between them look like one.
      if (blocks.at(-1)?.kind !== "gap") blocks.push({ kind: "gap", key: `gap-${key}` });
      group = [];
      continue;
    }
    const today = new Date(message.at_ms).toDateString();
    if (today !== day) {
      day = today;
      group = [];
      blocks.push({ kind: "day", key: `day-${key}`, at_ms: message.at_ms });
    }
    const last = group.at(-1);
    if (last && last.user === message.user && message.at_ms - last.at_ms < PAUSE_MS) {
      group.push(message);
      continue;
    }
    group = [message];
    blocks.push({ kind: "group", key: `group-${key}`, user: message.user, messages: group });
  }
  return blocks;
}
