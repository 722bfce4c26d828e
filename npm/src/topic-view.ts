// All that a component shows of a topic, as one store.

import type { TidewireError } from "./errors.js";
import type { History, HistoryOptions } from "./history.js";
// By its entry, which the page has already: the build leaves this import as it is.
import { type Presence, type PresenceState, presence } from "./index.js";
import type { Live } from "./live.js";
import { shown } from "./shown.js";
import type { EchoOptions, StateKind, StateSubscription, TopicState } from "./state.js";
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

/** A connection without types. */
export type UntypedLive = Live<Record<string, { event: unknown; publish: unknown; snapshot: unknown; presence: unknown }>>;

/** A {@link TopicView} without types. */
type View = TopicView<unknown, unknown, unknown, unknown>;

/** What a view is made with. */
export interface ViewOptions {
  /** How many events are kept. */
  readonly keep: number;
  /** How the state is kept; `false` for no state. */
  readonly state: StateKind<unknown, unknown, unknown> | false;
  /** The wish for presence; `undefined` for none. */
  readonly presence: unknown;
}

/** The view of a topic. */
export interface TopicStore extends Store<View> {
  /** Another wish for presence. */
  setWish(wish: unknown): void;
}

/** Makes the view of a topic, which is subscribed while somebody watches. */
export function topicView(live: UntypedLive, topic: string, { keep, state: kind, presence: first }: ViewOptions): TopicStore {
  let subscription: StateSubscription<unknown, unknown, unknown> | undefined;
  let wish = first;
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
    const options = { onGap, presence: wish };
    const opened = (
      kind ? live.subscribe(topic, arrive, { ...options, state: kind }) : live.subscribe(topic, arrive, options)
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
