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

/** The topics of Guestbook, by pattern. */
export interface GuestbookTopics {
  /** All entries, and each that is written. */
  "entries": { event: Entry; publish: NewEntry; snapshot: Array<Entry> };
}

/** A book in which guests write. */
export const guestbook: Schema<GuestbookTopics> = {
  name: "Guestbook",
  entries: {
    "entries": "9fa7776ca86327ca",
  },
};
