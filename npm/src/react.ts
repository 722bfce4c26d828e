// The entry `tidewire/react`: a connection, its topics and its calls as React state.
//
// All are safe in StrictMode and in concurrent rendering, and give what they show before anything came where a page is rendered on
// a server. However many messages come, a component renders at most once a frame for them.

import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { type ConnectionState, initialState } from "./connection-state.js";
// By its entry, which the page has already: the build leaves this import as it is.
import { presenceStore, topicStore } from "./index.js";
import type { Live } from "./live.js";
import type { PresenceState } from "./presence.js";
import type {
  ArgsOf,
  CallOf,
  ChangeOf,
  PresenceOf,
  PresenceOption,
  PresenceTopicOf,
  ReplyOf,
  Schema,
  SnapshotOf,
  StateOf,
  TopicOf,
} from "./schema.js";
import type { RequestOptions } from "./subscription.js";
import type { TopicViewOf, TopicViewOptions, TopicViewStateOptions, UntypedLive } from "./views.js";

/** The state of a connection; the component renders again when it changes. */
export function useConnection<Topics, Calls>(live: Live<Topics, Calls>): ConnectionState {
  const { subscribe, getSnapshot } = live.connection;
  return useSyncExternalStore(subscribe, getSnapshot, () => initialState);
}

// The one with a state is first: see `Live.subscribe`.
/**
 * A topic's state as `reduced(…)` or `items(…)` keeps it, and what else there is to show of the topic, which is subscribed as long as
 * the component is mounted and half a second longer.
 */
export function useTopic<Topics, Calls, const Topic extends TopicOf<Topics>, State = StateOf<Topics, Topic>>(
  live: Live<Topics, Calls>,
  topic: Topic,
  options: TopicViewStateOptions<ChangeOf<Topics, Topic>, SnapshotOf<Topics, Topic>, State> & PresenceOption<Topics, Topic>,
): TopicViewOf<Topics, Topic, State>;
/**
 * A topic's state (the list or the map of its events), and what else there is to show of the topic, which is subscribed as long as
 * the component is mounted and half a second longer. Another topic or connection begins anew. Rendered on a server it is empty.
 */
export function useTopic<Topics, Calls, const Topic extends TopicOf<Topics>>(
  live: Live<Topics, Calls>,
  topic: Topic,
  options?: TopicViewOptions & PresenceOption<Topics, Topic>,
): TopicViewOf<Topics, Topic, StateOf<Topics, Topic>>;
export function useTopic(live: unknown, topic: string, options: Omit<TopicViewOptions, "state"> & { readonly state?: unknown } = {}): unknown {
  const { keep, presence: wish } = options;
  const isMember = wish !== undefined;
  // With the first wish, and the first way to keep the state: further wishes are told below.
  const view = useMemo(() => topicStore(live as UntypedLive, topic, options as TopicViewOptions), [live, topic, keep, isMember]);
  useEffect(() => view.setWish(wish), [view, JSON.stringify(wish)]);
  return useSyncExternalStore(view.subscribe, view.getSnapshot, view.getSnapshot);
}

/** Who is in a topic; `undefined` until the server has told, and rendered on a server. */
export function usePresence<Topics, Calls, const Topic extends PresenceTopicOf<Topics>>(
  live: Live<Topics, Calls>,
  topic: Topic,
): PresenceState<PresenceOf<Topics, Topic>> | undefined {
  const view = useMemo(() => presenceStore(live, topic), [live, topic]);
  return useSyncExternalStore(view.subscribe, view.getSnapshot, () => undefined);
}

/** The last call of a component. */
export interface CallView<Args, Reply> {
  /** `idle` before the first, then `pending` until its outcome: `done` or `failed`. */
  readonly state: "idle" | "pending" | "done" | "failed";
  /** The reply, while {@link state} is `done`. */
  readonly reply: Reply | undefined;
  /** Why it failed, while {@link state} is `failed`: a {@link TidewireError}, or what `JSON.stringify` threw. */
  readonly error: unknown;
  /** Calls the server, as {@link Live.call}. What becomes of it is shown here too, so that its rejection need not be caught. */
  readonly call: (args: Args, options?: RequestOptions) => Promise<Reply>;
}

/** Calls the server and shows what becomes of the last call. A call goes on when the component is gone. */
export function useCall<Topics, Calls, const Call extends CallOf<Calls>>(
  live: Live<Topics, Calls>,
  name: Call,
): CallView<ArgsOf<Calls, Call>, ReplyOf<Calls, Call>> {
  type Reply = ReplyOf<Calls, Call>;
  const [outcome, setOutcome] = useState<Omit<CallView<never, Reply>, "call">>(idle);
  const last = useRef<Promise<Reply> | undefined>(undefined);
  const call = useCallback(
    (args: ArgsOf<Calls, Call>, options?: RequestOptions): Promise<Reply> => {
      const reply = live.call(name, args, options);
      last.current = reply;
      setOutcome({ ...idle, state: "pending" });
      const settle = (next: typeof outcome) => {
        if (last.current === reply) setOutcome(next);
      };
      reply.then(
        (value) => settle({ state: "done", reply: value, error: undefined }),
        (error: unknown) => settle({ state: "failed", reply: undefined, error }),
      );
      return reply;
    },
    [live, name],
  );
  return { ...outcome, call };
}

const idle = { state: "idle", reply: undefined, error: undefined } as const;

/** A provider and its hook, with the types of one schema. */
export interface LiveContext<Topics, Calls> {
  /** Gives a connection to all components within. It does not close it. */
  readonly LiveProvider: (props: { readonly live: Live<Topics, Calls>; readonly children?: ReactNode }) => ReactElement;
  /**
   * The connection of the provider around the component.
   *
   * @throws Error if there is none.
   */
  readonly useLive: () => Live<Topics, Calls>;
}

/**
 * A way to hand a connection down, made once for a schema.
 *
 * @example
 * export const { LiveProvider, useLive } = createLiveContext(chat);
 *
 * @param schema for its types alone.
 */
export function createLiveContext<Topics, Calls>(schema: Schema<Topics, Calls>): LiveContext<Topics, Calls> {
  const context = createContext<Live<Topics, Calls> | undefined>(undefined);
  return {
    LiveProvider: ({ live, children }) => createElement(context.Provider, { value: live }, children),
    useLive() {
      const live = useContext(context);
      if (!live) throw new Error(`there is no LiveProvider of the schema ${schema.name} around this component`);
      return live;
    },
  };
}
