// From a frame of the server to the numbers that the core sees: the table of wire.md section 6.

import { isTopic, type Names } from "./names.js";

/** What a frame is. */
export const enum Kind {
  Malformed = 0,
  Hello = 1,
  Reply = 2,
  Error = 3,
  Gap = 4,
  Drain = 5,
  Ping = 6,
  Subscribed = 7,
  Unsubscribed = 8,
  Event = 9,
  Message = 10,
  Ignored = 11,
  Item = 12,
}

/** One frame in numbers; 0 stands for what is absent. One object is used again for every frame. */
export interface Tuple {
  kind: Kind;
  re: number;
  topic: number;
  epoch: number;
  offset: number;
  prev: number;
  to: number;
  code: number;
  ms: number;
  flags: number;
}

/** A parsed frame, of which nothing is known yet. */
export type RawFrame = Readonly<Record<string, unknown>>;

/** A tuple of zeros. */
export const emptyTuple = (): Tuple => clear({} as Tuple);

/** Parses a message. What is no JSON becomes a frame without a topic. */
export function parseFrame(text: unknown): RawFrame {
  try {
    return (typeof text === "string" && JSON.parse(text)) || {};
  } catch {
    return {};
  }
}

/**
 * Reads a frame into `out`. A new epoch gets a number, and a topic that the server subscribed; the core releases both.
 * Allocates nothing for an event of a topic that has a number.
 */
export function readFrame(frame: RawFrame, topics: Names, epochs: Names, out: Tuple): void {
  const topic = frame.topic;
  clear(out);
  if (typeof topic !== "string") return;
  if (topic.charCodeAt(0) !== 36 /* $ */) {
    readEvent(topic, frame, topics, out);
    return;
  }
  const kind = readReserved(topic, frame, topics, epochs, out);
  if (kind === Kind.Malformed) clear(out);
  out.kind = kind;
}

function clear(out: Tuple): Tuple {
  out.kind = Kind.Malformed;
  out.re = out.topic = out.epoch = out.offset = out.prev = out.to = out.code = out.ms = out.flags = 0;
  return out;
}

function readEvent(name: string, frame: RawFrame, topics: Names, out: Tuple): void {
  const { offset, prev } = frame;
  const topic = topics.numberOf(name);
  // A name with a number was checked when it got it.
  if (topic === 0 && !isTopic(name)) return;
  if (isInteger(offset) && isInteger(prev) && offset > prev) {
    out.kind = Kind.Event;
    out.topic = topic;
    out.offset = offset;
    out.prev = prev;
  } else if (offset === undefined && prev === undefined) {
    out.kind = Kind.Message;
    out.topic = topic;
  }
}

function readReserved(name: string, frame: RawFrame, topics: Names, epochs: Names, out: Tuple): Kind {
  const { re } = frame;
  const data = isObject(frame.data) ? frame.data : {};
  switch (name) {
    case "$hello": {
      const { ping_ms, pong_ms, token_ms } = data;
      if (!isInteger(re) || !isInteger(ping_ms) || !isInteger(pong_ms)) break;
      out.re = re;
      out.ms = ping_ms;
      out.to = pong_ms;
      out.prev = integerOf(token_ms);
      return Kind.Hello;
    }
    case "$reply": {
      if (!isInteger(re)) break;
      // What is not as it should be counts as absent: the data may be an application's.
      const { epoch, recovered, version } = data;
      out.re = re;
      out.epoch = typeof epoch === "string" ? epochs.intern(epoch) : 0;
      out.offset = integerOf(data.offset);
      out.to = integerOf(data.head);
      out.ms = integerOf(data.token_ms);
      out.flags = (recovered === true ? 1 : recovered === false ? 2 : 0) + (typeof version === "string" ? 4 : 0);
      return Kind.Reply;
    }
    case "$item":
      if (!isInteger(re)) break;
      out.re = re;
      return Kind.Item;
    case "$error":
      if (!(re === undefined || isInteger(re)) || !isCode(data.code)) break;
      out.re = re ?? 0;
      out.code = data.code;
      return Kind.Error;
    case "$gap": {
      const { topic, after, to, cause } = data;
      const code = causes.indexOf(cause as string) + 1;
      if (typeof topic !== "string" || !isInteger(after) || !isInteger(to) || code === 0) break;
      out.topic = topics.numberOf(topic);
      out.offset = after;
      out.to = to;
      out.code = code;
      return Kind.Gap;
    }
    case "$drain":
      if (!isInteger(data.deadline_ms)) break;
      out.ms = data.deadline_ms;
      return Kind.Drain;
    case "$ping":
      return Kind.Ping;
    case "$subscribed": {
      const { topic, epoch, offset } = data;
      if (typeof topic !== "string" || typeof epoch !== "string" || !isInteger(offset) || !isTopic(topic)) break;
      out.topic = topics.intern(topic);
      out.epoch = epochs.intern(epoch);
      out.offset = offset;
      return Kind.Subscribed;
    }
    case "$unsubscribed":
      if (typeof data.topic !== "string" || !isCode(data.code)) break;
      out.topic = topics.numberOf(data.topic);
      out.code = data.code;
      return Kind.Unsubscribed;
    default:
      if (!name.startsWith(presence) || (frame.offset === undefined && frame.prev === undefined)) return Kind.Ignored;
      readEvent(name, frame, topics, out);
      return out.kind;
  }
  return Kind.Malformed;
}

/** In the order of their codes, from 1. */
const causes = ["dropped", "conflated", "lost", "included"];

/** Begins the name of the topic of another topic's members. */
const presence = "$presence:";

const isObject = (value: unknown): value is RawFrame => typeof value === "object" && value !== null;

const isInteger = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isCode = (value: unknown): value is number => isInteger(value) && value <= 65_535;

const integerOf = (value: unknown): number => (isInteger(value) ? value : 0);
