// What components show, as stores that are open while somebody watches: all there is of a topic, and who is in one.
//
// React's hooks are these stores; for other frameworks docs/client.md has the few lines that read a store.

import type { TidewireError } from "./errors.js";
import type { History, HistoryOptions } from "./history.js";
import type { Live } from "./live.js";
import { type Presence, type PresenceState, presence } from "./presence.js";
import type {
  ChangeOf,
  EventOf,
  PresenceOf,
  PresenceOption,
  PresenceTopicOf,
  PublishOf,
  SnapshotOf,
  StateOf,
  TopicOf,
} from "./schema.js";
import { shown } from "./shown.js";
import { type EchoOptions, items, type ItemsKind, type StateKind, type StateSubscription, type TopicState } from "./state.js";
import type { Store } from "./store.js";
import type { Gap, Position, SubscriptionStatus } from "./subscription.js";

/** What a component shows of a topic. Immutable: every change makes a new one. */
export interface TopicView<State, Event, Publish = never, Member = never, Past = Event> {
  /** The topic's state, with the {@link pending} events; `undefined` until the server has sent it. */
  readonly state: State | undefined;
  /** Events that were published with an echo and that the server has not yet sent back, in order. */
  readonly pending: readonly Event[];
  /** The newest events that came since the component is there, the last one last. */
  readonly events: readonly Event[];
  /** Who is in the topic; `undefined` where the option `presence` is not given, and until the server has told. */
  readonly presence: PresenceState<Member> | undefined;
  /** Where the subscription stands. */
  readonly status: SubscriptionStatus["state"];
  /** After a reconnect: whether everything missed came. */
  readonly recovered: boolean | undefined;
  /** The last events that never came, if there were any. */
  readonly gap: Gap | undefined;
  /** Why the server refused the subscription, the snapshot or the wish for presence. */
  readonly error: TidewireError | undefined;
  /** Publishes to the topic; see {@link StateSubscription.publish}. The same function as long as the topic is. */
  readonly publish: (data: Publish, options?: EchoOptions<Event>) => Promise<Position>;
  /** Reads the topic's past; see {@link Live.history}. The same function as long as the topic is. */
  readonly history: (options?: HistoryOptions) => Promise<History<Past>>;
}

/** Options of {@link topicStore}. */
export interface TopicViewOptions {
  /** How many of the newest events are kept. Default: 100. */
  readonly keep?: number | undefined;
  /**
   * Makes the user a member of the topic's presence, shown as the server's `presence` hook makes of this value. The view then shows the
   * members too. Default: none; {@link presenceStore} shows them to others.
   */
  readonly presence?: unknown;
  /** `false` keeps no state and asks for no snapshot. Default: {@link items}, the list or map of the topic's events. */
  readonly state?: false | undefined;
}

/** Options of {@link topicStore} with a state of one's own. */
export interface TopicViewStateOptions<Change, Snapshot, State> extends Omit<TopicViewOptions, "state"> {
  /** How the state is kept: {@link items} with options, or {@link reduced}. */
  readonly state: StateKind<Change, Snapshot, State> | ItemsKind;
}

/** The {@link TopicView} of a topic of a schema. */
export type TopicViewOf<Topics, Topic extends string, State> = TopicView<
  State,
  EventOf<Topics, Topic>,
  PublishOf<Topics, Topic>,
  PresenceOf<Topics, Topic>,
  ChangeOf<Topics, Topic>
>;

/** What a component shows of a topic, to be read and watched. */
export interface TopicStore<View> extends Store<View> {
  /** Another wish for presence, where the option `presence` made the user a member. What is refused is the view's `error`. */
  setWish(wish: unknown): void;
}

/** A connection without types. */
export type UntypedLive = Live<Record<string, { event: unknown; publish: unknown; snapshot: unknown; presence: unknown }>>;

/** A {@link TopicView} without types. */
type View = TopicView<unknown, unknown, unknown, unknown>;

// The one with a state is first: see `Live.subscribe`.
/** A topic's state as `reduced(…)` or `items(…)` keeps it, and what else there is to show of the topic, as one store. */
export function topicStore<Topics, Calls, const Topic extends TopicOf<Topics>, State = StateOf<Topics, Topic>>(
  live: Live<Topics, Calls>,
  topic: Topic,
  options: TopicViewStateOptions<ChangeOf<Topics, Topic>, SnapshotOf<Topics, Topic>, State> & PresenceOption<Topics, Topic>,
): TopicStore<TopicViewOf<Topics, Topic, State>>;
/**
 * A topic's state (the list or the map of its events), and what else there is to show of the topic, as one store for the components of any
 * framework: it is subscribed while somebody watches and half a second longer, and its listeners are called at most once a frame, however
 * many messages come. Watched again later it begins anew.
 *
 * @example
 * const room = topicStore(live, "chat:general");
 * const leave = room.subscribe(() => show(room.getSnapshot().state));
 */
export function topicStore<Topics, Calls, const Topic extends TopicOf<Topics>>(
  live: Live<Topics, Calls>,
  topic: Topic,
  options?: TopicViewOptions & PresenceOption<Topics, Topic>,
): TopicStore<TopicViewOf<Topics, Topic, StateOf<Topics, Topic>>>;
export function topicStore(
  typed: unknown,
  topic: string,
  options: { keep?: number | undefined; presence?: unknown; state?: StateKind<unknown, unknown, unknown> | ItemsKind | false | undefined } = {},
): unknown {
  const live = typed as UntypedLive;
  const { keep = 100, state: kind = items() } = options;
  let subscription: StateSubscription<unknown, unknown, unknown> | undefined;
  let wish = options.presence;
  let refusal: TidewireError | undefined;
  let changed = () => {};
  const initial: View = {
    state: undefined,
    pending: [],
    events: [],
    presence: undefined,
    status: "subscribing",
    recovered: undefined,
    gap: undefined,
    error: undefined,
    // Where it is not subscribed there is no state to show an echo in.
    publish: (data, options) => subscription?.publish(data, options) ?? live.publish(topic, data, options),
    history: (options) => live.history(topic, options),
  };
  const store = shown(initial, (ask) => {
    let events: readonly unknown[] = [];
    let arrived: unknown[] = [];
    let gap: Gap | undefined;
    changed = ask;
    refusal = undefined;
    const arrive = (event: unknown) => {
      arrived.push(event);
      if (arrived.length > 2 * keep) arrived = arrived.slice(-keep);
      ask();
    };
    const onGap = (missing: Gap) => {
      gap = missing;
      ask();
    };
    const member = { onGap, presence: wish };
    const opened = (
      kind ? live.subscribe(topic, arrive, { ...member, state: kind }) : live.subscribe(topic, arrive, member)
    ) as StateSubscription<unknown, unknown, unknown>;
    const members: Presence<unknown> | undefined = wish === undefined ? undefined : presence(live, topic);
    const state: Store<TopicState<unknown>> | undefined = opened.state;
    subscription = opened;
    for (const part of [opened.status, state, members]) part?.subscribe(ask);
    return {
      read() {
        if (arrived.length > 0) events = [...events, ...arrived.splice(0)].slice(-keep);
        const { value, pending = [], error } = state?.getSnapshot() ?? { value: undefined };
        const status = opened.status.getSnapshot();
        return {
          ...initial,
          state: value,
          pending,
          events,
          presence: members?.getSnapshot(),
          status: status.state,
          recovered: status.recovered,
          gap,
          error: status.error ?? error ?? refusal,
        };
      },
      isOver: () => opened.status.getSnapshot().state === "closed",
      close() {
        opened.close();
        members?.close();
        subscription = undefined;
      },
    };
  });
  const setWish = (next: unknown) => {
    if (JSON.stringify(next) === JSON.stringify(wish)) return;
    wish = next;
    subscription?.setWish(next).catch((error: TidewireError) => {
      refusal = error;
      changed();
    });
  };
  return { ...store, setWish };
}

/**
 * Who is in a topic, as {@link presence} tells, for the components of any framework: watched on the wire as {@link topicStore} says.
 * The watcher is no member by that.
 */
export function presenceStore<Topics, Calls, const Topic extends PresenceTopicOf<Topics>>(
  live: Live<Topics, Calls>,
  topic: Topic,
): Store<PresenceState<PresenceOf<Topics, Topic>> | undefined> {
  return shown<PresenceState<PresenceOf<Topics, Topic>> | undefined>(undefined, (changed) => {
    const here = presence(live, topic);
    here.subscribe(changed);
    return { read: here.getSnapshot, isOver: () => here.status.getSnapshot().state === "closed", close: here.close };
  });
}
