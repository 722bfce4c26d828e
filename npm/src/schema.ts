// The types of a schema: what a generated module fills in, and how a name finds what is sent under it.

import type { NameOf } from "./names.js";

declare const topics: unique symbol;
declare const calls: unique symbol;

/**
 * A schema written in Rust, as its generated module exports it: the types of its topics and calls, and the hashes that
 * tell the server which version of each entry this page was built with.
 *
 * `Topics` has a property for each topic, its key the topic's pattern; `Calls` one for each call, by name.
 */
export interface Schema<Topics, Calls = {}> {
  /** The name of the schema in Rust. */
  readonly name: string;
  /** The structural hash of every entry, by pattern or name, and behind it those of earlier servers that it can do with. */
  readonly entries: Readonly<Record<string, string | readonly string[]>>;
  /** Exists for the compiler only. */
  readonly [topics]?: Topics;
  /** Exists for the compiler only. */
  readonly [calls]?: Calls;
}

/** Every name of a topic that the schema has. */
export type TopicOf<Topics> = NameOf<keyof Topics & string>;

/** Every name of a topic to which clients may publish. */
export type PublishTopicOf<Topics> = NameWith<Topics, "publish">;

/** Every name of a topic whose events have keys. */
export type KeyedTopicOf<Topics> = NameWith<Topics, "key">;

/** Every name of a topic that shows who is there. */
export type PresenceTopicOf<Topics> = NameWith<Topics, "presence">;

/** What is left of an option `presence`: everything where the topic shows who is there, elsewhere nothing. */
export type PresenceOption<Topics, Topic> = [Topic] extends [PresenceTopicOf<Topics>] ? unknown : { readonly presence?: undefined };

type NameWith<Topics, Role extends string> = {
  [Pattern in keyof Topics & string]: Topics[Pattern] extends { [Key in Role]: infer Data }
    ? [Data] extends [never] ? never : NameOf<Pattern>
    : never;
}[keyof Topics & string];

/** The pattern that a name belongs to. A template type alone would let a value span segments; this does not. */
export type PatternOf<Topics, Topic extends string> = Topic extends unknown
  ? { [Pattern in keyof Topics & string]: Fits<Topic, Pattern> extends true ? Pattern : never }[keyof Topics & string]
  : never;

type Fits<Name extends string, Pattern extends string> = Pattern extends `${infer Segment}:${infer Rest}`
  ? Name extends `${infer Part}:${infer More}`
    ? FitsSegment<Part, Segment> extends true
      ? Fits<More, Rest>
      : false
    : false
  : Name extends `${string}:${string}`
    ? string extends Pattern ? true : false
    : FitsSegment<Name, Pattern>;

// An untyped schema has `string` for its patterns, which every name fits.
type FitsSegment<Part extends string, Segment extends string> = string extends Segment
  ? true
  : Segment extends `{${string}}`
    ? Part extends "" ? false : true
    : Part extends Segment ? true : false;

type Carried<Topics, Topic extends string, Role extends string> =
  PatternOf<Topics, Topic> extends infer Pattern
    ? Pattern extends keyof Topics
      ? Topics[Pattern] extends { [Key in Role]: infer Data } ? Data : never
      : never
    : never;

/** The type of a topic's events. */
export type EventOf<Topics, Topic extends string> = Carried<Topics, Topic, "event">;

/** The type of what clients publish to a topic; `never` where they may not. */
export type PublishOf<Topics, Topic extends string> = Carried<Topics, Topic, "publish">;

/** The type of a topic's snapshot: what the schema declares, else the list of its events, or of a keyed topic the last one of each key. */
export type SnapshotOf<Topics, Topic extends string> = Carried<Topics, Topic, "snapshot">;

/** What comes as an event: `null` where a key of a keyed topic is removed. */
export type ChangeOf<Topics, Topic extends string> = EventOf<Topics, Topic> | RemovalOf<Topics, Topic>;

type RemovalOf<Topics, Topic extends string> =
  PatternOf<Topics, Topic> extends infer Pattern
    ? Pattern extends keyof Topics
      ? Topics[Pattern] extends { key: string } ? null : never
      : never
    : never;

/**
 * The state of a topic whose snapshot is the list of its events, or the last event of each key: that list, or a map by the key's
 * text. `never` where the schema declares another snapshot.
 */
export type StateOf<Topics, Topic extends string> = ItemsOf<SnapshotOf<Topics, Topic>>;

/** The {@link StateOf} a snapshot. */
export type ItemsOf<Snapshot> = Snapshot extends readonly (infer Event)[]
  ? readonly Event[]
  : string extends keyof Snapshot
    ? ReadonlyMap<string, Snapshot[keyof Snapshot]>
    : never;

/** The type of a member of a topic's presence; `never` where nobody is shown. */
export type PresenceOf<Topics, Topic extends string> = Carried<Topics, Topic, "presence">;

/** Every name of a call that the schema has and that is answered by one reply. */
export type CallOf<Calls> = CallWith<Calls, "reply">;

/** Every name of a call that is answered by a stream. */
export type StreamOf<Calls> = CallWith<Calls, "item">;

type CallWith<Calls, Answer extends string> = {
  [Call in keyof Calls & string]: Calls[Call] extends { [Key in Answer]: unknown } ? Call : never;
}[keyof Calls & string];

/** The type of a call's argument; `null` where it has none. */
export type ArgsOf<Calls, Call extends keyof Calls> = Calls[Call] extends { args: infer Args } ? Args : never;

/** The type of a call's reply. */
export type ReplyOf<Calls, Call extends CallOf<Calls>> = Calls[Call] extends { reply: infer Reply } ? Reply : never;

/** The type of the items of a call that is answered by a stream. */
export type ItemOf<Calls, Call extends StreamOf<Calls>> = Calls[Call] extends { item: infer Item } ? Item : never;
