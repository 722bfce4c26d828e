/// <reference lib="esnext.disposable" preserve="true" />
// Who is in a topic: the state of the topic of its members.
//
// Apart from the rest: a page that shows nobody does not carry this.

import { dispose } from "./dispose.js";
import type { Live } from "./live.js";
import type { PresenceOf, PresenceTopicOf } from "./schema.js";
import { keeping } from "./state.js";
import type { Store } from "./store.js";
import type { SubscriptionStatus } from "./subscription.js";

/** The members of a topic at one moment. Immutable: every change makes a new one. */
export interface PresenceState<Member> {
  /** What the server shows of each member, by the user's key; empty where the topic only counts them. */
  readonly members: ReadonlyMap<string, Member>;
  /** How many there are. */
  readonly count: number;
}

/** The members of a topic, to be read and watched: `undefined` until the server has told them. */
export interface Presence<Member> extends Store<PresenceState<Member> | undefined>, Disposable {
  /** Where its subscription stands. */
  readonly status: Store<SubscriptionStatus>;
  /** Stops watching. The last state stays readable. */
  close(): void;
}

/**
 * Watches who is in a topic, with the rights of a subscription. The watcher is no member by that: the option `presence` of
 * `subscribe` makes it one.
 *
 * @example
 * const here = presence(live, "chat:general");
 * here.subscribe(() => show(here.getSnapshot()?.members));
 */
export function presence<Topics, Calls, const Topic extends PresenceTopicOf<Topics>>(
  live: Live<Topics, Calls>,
  topic: Topic,
): Presence<PresenceOf<Topics, Topic>> {
  // The server makes this topic, so the schema does not name it.
  const untyped = live as unknown as Live<Record<string, { event: unknown; publish: never; snapshot: unknown }>>;
  const subscription = untyped.subscribe(`$presence:${topic}`, { state: keeping<Members>({ start, fold, conflates: false }) });
  const { state, status } = subscription;
  const close = () => subscription.close();
  const getSnapshot = () => state.getSnapshot().value as PresenceState<PresenceOf<Topics, Topic>> | undefined;
  return { getSnapshot, subscribe: state.subscribe, status, close, [dispose]: close };
}

type Members = PresenceState<unknown>;

function start(snapshot: unknown): Members {
  const members = new Map(Object.entries(snapshot ?? {}));
  return { members, count: typeof snapshot === "number" ? snapshot : members.size };
}

function fold({ members, count }: Members, changes: readonly { readonly event: unknown }[]): Members {
  const next = new Map(members);
  for (const { event } of changes) {
    const { joined, left } = (event ?? {}) as Readonly<Record<string, unknown>>;
    if (Array.isArray(left)) for (const user of left) next.delete(user);
    for (const [user, member] of Object.entries(joined ?? {})) next.set(user, member);
    count = typeof event === "number" ? event : next.size;
  }
  return { members: next, count };
}
