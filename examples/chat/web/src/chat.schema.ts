// Written by `Chat::export` from the Rust schema `Chat` of `tidewire_chat_schema`: change that and export again.
import type { Schema } from "tidewire";

/** A message that everybody in a room sees. */
export type ChatMessage = {
  /** Who wrote it, as the server knows them. */
  user: string;
  /** What they wrote. */
  text: string;
  /** When the server took it, in milliseconds since 1970. */
  at_ms: number;
};

/** A message to a room, as its writer sends it: the server adds who and when. */
export type NewMessage = {
  /** What to say. */
  text: string;
};

/** Somebody wrote in a room. */
export type RoomActivity = {
  /** The room. */
  room: string;
  /** Who wrote. */
  user: string;
  /** When, in milliseconds since 1970. */
  at_ms: number;
};

/** Somebody who is in a room; the key is the name. */
export type Visitor = {
  /** Whether they are about to say something. */
  is_writing: boolean;
};

/** The topics of Chat, by pattern. */
export interface ChatTopics {
  /** The messages of a room. */
  "chat:{room}": { event: ChatMessage; publish: NewMessage; snapshot: Array<ChatMessage>; presence: Visitor };
  /** What goes on in the rooms. */
  "lobby": { event: RoomActivity; publish: never; snapshot: Array<RoomActivity> };
}

/** Rooms to talk in, and a lobby that shows where people talk. */
export const chat: Schema<ChatTopics> = {
  name: "Chat",
  entries: {
    "chat:{room}": "61e11aec8c2a85da",
    "lobby": "d22cca8daebaf98a",
  },
};
