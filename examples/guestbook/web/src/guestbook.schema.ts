// Written by `Guestbook::export` from the Rust schema `Guestbook` of `tidewire_guestbook_schema`: change that and export again.
import type { Schema } from "tidewire";

/** An entry, as it stands in the book. */
export type Entry = {
  /** Its number; later entries have higher ones. */
  id: number;
  /** Who wrote it. */
  guest: string;
  /** What they wrote. */
  text: string;
};

/** What a guest writes. */
export type NewEntry = {
  /** What to write: 1 to 500 characters. */
  text: string;
};

/** What to look for. */
export type Query = {
  /** What is found has each of these words, in its text or in its guest's name: 1 to 100 characters. */
  words: string;
  /** The entry before which to begin; the last one that was found, for a search that goes on. */
  before: number | null;
};

/** The topics of Guestbook, by pattern. */
export interface GuestbookTopics {
  /** All entries, and each that is written. */
  "entries": { event: Entry; publish: NewEntry; snapshot: Array<Entry> };
}

/** The calls of Guestbook, by name. */
export interface GuestbookCalls {
  /** Looks through all of the book, from the newest entry on. */
  "search": { args: Query; item: Entry };
}

/** A book in which guests write. */
export const guestbook: Schema<GuestbookTopics, GuestbookCalls> = {
  name: "Guestbook",
  entries: {
    "entries": "9fa7776ca86327ca",
    "search": "b7bd94db26ca2aaa",
  },
};
