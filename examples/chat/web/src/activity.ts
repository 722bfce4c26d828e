// What goes on in rooms that are not open: how much is unread, and where else people talk.

import { useState } from "react";
import { useTopic } from "tidewire/react";
import type { RoomActivity } from "./chat.schema";
import type { ChatLive } from "./sign-in";

/** What {@link useActivity} gives. */
export interface Activity {
  /** How many messages of others came to a room since it was last open. */
  unread(room: string): number;
  /** The last activity of each room, the newest first. */
  readonly latest: readonly RoomActivity[];
}

/** The lobby as the visitor sees it, who is called `me` and has the room `active` open. */
export function useActivity(live: ChatLive, me: string, active: string): Activity {
  const { events } = useTopic(live, "lobby", { state: false });
  // By room, the newest activity of any room when it was last open.
  const [read, setRead] = useState<ReadonlyMap<string, RoomActivity>>(new Map());
  const newest = events.at(-1);
  if (newest && read.get(active) !== newest) setRead(new Map(read).set(active, newest));
  return {
    unread(room) {
      if (room === active) return 0;
      const mark = read.get(room);
      const since = mark ? events.lastIndexOf(mark) + 1 : 0;
      return events.slice(since).filter((event) => event.room === room && event.user !== me).length;
    },
    latest: [...new Map(events.map((event) => [event.room, event])).values()].sort((a, b) => b.at_ms - a.at_ms),
  };
}
