// Written by `SampleForum::export` from the Rust schema `SampleForum` of `it::export`: change that and export again.
import type { Schema } from "tidewire";

export type Activity =
  | { type: "signed_in" } & Author
  | { type: "signed_out" }
  | {
    type: "typed";
    letters: number;
    somewhere: Place | null;
    at: Array<Place | null>;
    more: Array<[Place, Tag]>;
  };

/** One line, with a *\/ in it. */
export type Author = {
  name: string;
  /** Since when, in milliseconds. */
  since_ms: number;
};

export type Change =
  | "Nothing"
  | { Renamed: string }
  | {
    Moved: {
      /** Where it was. */
      from: Place;
      to: Place;
    };
  };

export type Comment = {
  text: string;
  answers: Array<Comment>;
};

export type Id = string;

export type JsonValue =
  | number
  | string
  | boolean
  | Array<JsonValue>
  | { [key in string]: JsonValue }
  | null;

export type Loose = string | Array<number>;

export type Nothing = Record<symbol, never>;

export type Page<Item, Cursor = string> = {
  items: Array<Item>;
  next: Cursor | null;
};

export type Place = {
  city: string;
};

/**
 * Several lines,
 * with a list:
 *
 * - one
 */
export type Post = {
  writtenBy: Author;
  /**
   * A closed list
   * of words.
   */
  topicTags: Array<Tag>;
  editedAt: number | null;
  replyTo?: number;
  likesByUser: { [key in string]: number };
  counts: { [key in Tag]?: number };
  "content-type": string;
  position: [number, number];
  extra: JsonValue;
  city: string;
};

export type Signal = { kind: "Offer"; data: string } | { kind: "Hangup" };

/** Who is where. */
export type Standing = {
  place: Place;
  by: Author;
};

export type Tag = "Rust" | "TypeScript";

/** The topics of SampleForum, by pattern. */
export interface SampleForumTopics {
  /** Posts of a forum. */
  "forum:{forum}": { event: Post; publish: Page<Page<Post, number>, string>; snapshot: Array<Post> };
  /**
   * What people do there,
   * second by second.
   */
  "forum:{forum}:live": { event: Activity; publish: Change | null; snapshot: Array<Activity> };
  "comments:{post}:by:{by}": { event: Array<Comment>; publish: never; snapshot: Array<Array<Comment>> };
  "signals": { event: Signal; publish: Loose; snapshot: Array<Signal> };
  "a \"quoted\" `name` $x": { event: [Nothing, Id]; publish: null; snapshot: Array<[Nothing, Id]> };
  "forum:{forum}:by-type": { event: Post; publish: never; key: "content-type"; snapshot: { [key in string]: Post } };
  "hall": { event: Place; publish: null; key: "city"; snapshot: { [key in string]: Place }; presence: Author | null };
  "door": { event: Tag; publish: never; snapshot: Array<Tag>; presence: Tag };
  "board": { event: Place; publish: never; key: "city"; snapshot: Page<Standing, string> };
}

/** The calls of SampleForum, by name. */
export interface SampleForumCalls {
  /** Opens a forum. */
  "forums.open": { args: Place; reply: Page<Author, string> };
  "a \"quoted\" call": { args: null; reply: number };
  /**
   * What is written in a forum,
   * from now on.
   */
  "forums.watch": { args: Place; item: Change };
  "ticks": { args: null; item: number };
}

/** All that the export can write. */
export const sampleForum: Schema<SampleForumTopics, SampleForumCalls> = {
  name: "SampleForum",
  entries: {
    "forum:{forum}": "b4f1798538c449d9",
    "forum:{forum}:live": "6f828ec61c4258b0",
    "comments:{post}:by:{by}": "f768fc1b6928a03d",
    "signals": "03ac3bbae223cb36",
    "a \"quoted\" `name` $x": "794bba5e8007fa84",
    "forum:{forum}:by-type": "6bfbae1ad5369093",
    "hall": "5538dc368fb794c3",
    "door": "15cf007db5d00664",
    "board": "04ef704e2faff5c6",
    "forums.open": "a995136072978293",
    "a \"quoted\" call": "79b984c33a6bb368",
    "forums.watch": "9977995e955ca016",
    "ticks": "22013077c5b38db7",
  },
};
