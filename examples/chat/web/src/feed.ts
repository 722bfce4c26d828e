// A room's messages as they come, and the places where some are missing.

import { useEffect, useState } from "react";
import type { SubscriptionStatus } from "tidewire";
import type { ChatMessage } from "./chat.schema";
import { roomTopic } from "./rooms";
import type { ChatLive } from "./sign-in";

/** A message; or without one a place where messages are missing for good, as after a restart of the server. */
export interface FeedItem {
  /** Grows with each item of the page. */
  readonly key: number;
  readonly message?: ChatMessage;
}

/** What {@link useFeed} gives. */
export interface Feed {
  /** The newest items, the last one last. */
  readonly items: readonly FeedItem[];
  /** The subscription; `undefined` before the server first answered. */
  readonly status: SubscriptionStatus | undefined;
}

/** How many items a room keeps. */
const KEPT = 500;

let lastKey = 0;

/** The messages of a room, which is subscribed as long as the component is mounted. */
export function useFeed(live: ChatLive, room: string): Feed {
  const [items, setItems] = useState<readonly FeedItem[]>([]);
  const [status, setStatus] = useState<SubscriptionStatus>();
  useEffect(() => {
    const add = (item: Omit<FeedItem, "key">) => {
      const key = ++lastKey;
      setItems((items) => [...items, { key, ...item }].slice(-KEPT));
    };
    const subscription = live.subscribe(roomTopic(room), (message) => add({ message }), { onGap: () => add({}) });
    subscription.status.subscribe(() => setStatus(subscription.status.getSnapshot()));
    // The room shows a refusal, so nobody else need hear of it.
    subscription.ready.catch(() => {});
    return () => subscription.close();
  }, [live, room]);
  return { items, status };
}
