// A topic's newest events and its state as one store, which holds a subscription as long as somebody watches.

import type { TidewireError } from "./errors.js";
import type { Live } from "./live.js";
import type { EventOf, TopicOf } from "./schema.js";
import type { Store } from "./store.js";
import type { SubscriptionStatus } from "./subscription.js";

/** What a component shows of a topic. Immutable: every change makes a new one. */
export interface TopicView<Event> {
  /** The newest events, the last one last. */
  readonly events: readonly Event[];
  /** The state of the subscription. */
  readonly state: SubscriptionStatus["state"];
  /** Why the server refused the subscription. */
  readonly error: TidewireError | undefined;
}

/** Before anything came. */
export const emptyView: TopicView<never> = { events: [], state: "subscribing", error: undefined };

/** The view of a topic with the newest `keep` events. It has one watcher. */
export function topicView<Topics, const Topic extends TopicOf<Topics>>(
  live: Live<Topics>,
  topic: Topic,
  keep: number,
): Store<TopicView<EventOf<Topics, Topic>>> {
  let view: TopicView<EventOf<Topics, Topic>> = emptyView;
  return {
    getSnapshot: () => view,
    subscribe(listener) {
      const change = (part: Partial<typeof view>) => {
        view = { ...view, ...part };
        listener();
      };
      const subscription = live.subscribe(topic, (event) => change({ events: [...view.events, event].slice(-keep) }));
      const { getSnapshot, subscribe } = subscription.status;
      const unwatch = subscribe(() => {
        const { state, error } = getSnapshot();
        change({ state, error });
      });
      view = { ...view, state: subscription.status.getSnapshot().state, error: undefined };
      return () => {
        unwatch();
        subscription.close();
      };
    },
  };
}
