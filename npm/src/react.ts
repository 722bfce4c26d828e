// The entry `tidewire/react`: a connection and its topics as React state.

import { useMemo, useSyncExternalStore } from "react";
import { type ConnectionState, initialState } from "./connection-state.js";
import type { TidewireError } from "./errors.js";
import type { Live } from "./live.js";
import type { EventOf, TopicOf } from "./schema.js";
import type { Store } from "./store.js";
import type { SubscriptionStatus } from "./subscription.js";

/** How many events a view keeps, unless told otherwise. */
const KEPT = 100;

/** Options of {@link useTopic}. */
export interface UseTopicOptions {
  /** How many of the newest events are kept. Default: 100. */
  readonly keep?: number;
}

/** What a component shows of a topic. Immutable: every change makes a new one. */
export interface TopicView<Event> {
  /** The newest events, the last one last. */
  readonly events: readonly Event[];
  /** The state of the subscription. */
  readonly state: SubscriptionStatus["state"];
  /** Why the server refused the subscription. */
  readonly error: TidewireError | undefined;
}

/** The state of a connection; the component renders again when it changes. */
export function useConnection<Topics>(live: Live<Topics>): ConnectionState {
  const { subscribe, getSnapshot } = live.connection;
  return useSyncExternalStore(subscribe, getSnapshot, () => initialState);
}

/**
 * The newest events of a topic, which is subscribed as long as the component is mounted. Another topic or connection
 * begins anew.
 */
export function useTopic<Topics, const Topic extends TopicOf<Topics>>(
  live: Live<Topics>,
  topic: Topic,
  { keep = KEPT }: UseTopicOptions = {},
): TopicView<EventOf<Topics, Topic>> {
  const view = useMemo(() => topicStore(live, topic, keep), [live, topic, keep]);
  return useSyncExternalStore(view.subscribe, view.getSnapshot, () => emptyView);
}

/** A view that holds a subscription as long as somebody watches. */
function topicStore<Topics, Topic extends TopicOf<Topics>>(
  live: Live<Topics>,
  topic: Topic,
  keep: number,
): Store<TopicView<EventOf<Topics, Topic>>> {
  type Event = EventOf<Topics, Topic>;
  let view: TopicView<Event> = emptyView;
  return {
    getSnapshot: () => view,
    // React calls this when the component is mounted, never while it renders or on a server.
    subscribe(listener) {
      const change = (part: Partial<TopicView<Event>>) => {
        view = { ...view, ...part };
        listener();
      };
      const subscription = live.subscribe(topic, (event) => change({ events: [...view.events, event].slice(-keep) }));
      const unwatch = subscription.status.subscribe(() => {
        const { state, error } = subscription.status.getSnapshot();
        change({ state, error });
      });
      return () => {
        unwatch();
        subscription.close();
      };
    },
  };
}

const emptyView: TopicView<never> = { events: [], state: "subscribing", error: undefined };
