// The rooms that the page shows: which there are, and which one is open, as the address says (`#general`).

import { useEffect, useState, useSyncExternalStore } from "react";
import { TidewireError, topicName } from "tidewire";

/** Rooms that everybody has. */
const FIXED: readonly string[] = ["general", "engineering", "random"];
const FIRST = "general";
const KEY = "tidewire-chat.rooms";

/** What {@link useRooms} gives. */
export interface Rooms {
  readonly all: readonly string[];
  readonly active: string;
  /** Takes a room that the visitor has joined out of the list. */
  leave(room: string): void;
}

/** The topic of a room. Its name may be any text: what could be mistaken for a part of the topic is encoded. */
export const roomTopic = (room: string) => topicName("chat:{room}", { room });

/** The link to a room. */
export const roomLink = (room: string): string => `#${encodeURIComponent(room)}`;

/** Whether visitors may leave a room. */
export const isOwn = (room: string): boolean => !FIXED.includes(room);

/** Why a text cannot be the name of a room; `undefined` if it can. */
export function roomProblem(name: string): string | undefined {
  if (!name.trim()) return "A room needs a name.";
  try {
    roomTopic(name.trim());
    return undefined;
  } catch (error) {
    if (error instanceof TidewireError) return "This name is too long for a room.";
    throw error;
  }
}

/** The rooms of this visitor. */
export function useRooms(): Rooms {
  const active = useSyncExternalStore(watchAddress, readAddress);
  const [own, setOwn] = useState(readOwn);
  // A link leads to a room that the visitor has not been in.
  if (isOwn(active) && !own.includes(active)) setOwn([...own, active]);
  useEffect(() => localStorage.setItem(KEY, JSON.stringify(own)), [own]);
  return {
    all: [...FIXED, ...own],
    active,
    leave(room) {
      if (room === active) location.hash = roomLink(FIRST);
      setOwn(own.filter((other) => other !== room));
    },
  };
}

function watchAddress(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}

function readAddress(): string {
  try {
    const room = decodeURIComponent(location.hash.slice(1)).trim();
    return roomProblem(room) ? FIRST : room;
  } catch {
    // Somebody typed a percent sign.
    return FIRST;
  }
}

function readOwn(): readonly string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    if (!Array.isArray(stored)) return [];
    return stored.filter((room): room is string => typeof room === "string" && isOwn(room) && !roomProblem(room));
  } catch {
    return [];
  }
}
