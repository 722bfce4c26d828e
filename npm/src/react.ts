// The entry `tidewire/react`: a connection and its topics as React state.

import { useMemo, useSyncExternalStore } from "react";
import { type ConnectionState, initialState } from "./connection-state.js";
import type { Live } from "./live.js";
import type { EventOf, TopicOf } from "./schema.js";
import { emptyView, type TopicView, topicView } from "./topic-view.js";

export type { TopicView } from "./topic-view.js";

/** Options of {@link useTopic}. */
export interface UseTopicOptions {
  /** How many of the newest events are kept. Default: 100. */
  readonly keep?: number;
}

/** The state of a connection; the component renders again when it changes. */
export function useConnection<Topics>(live: Live<Topics>): ConnectionState {
  const { subscribe, getSnapshot } = live.connection;
  return useSyncExternalStore(subscribe, getSnapshot, () => initialState);
}

/**
 * The newest events of a topic, which is subscribed as long as the component is mounted. Another topic or connection
 * begins anew. Rendered on a server it is empty.
 */
export function useTopic<Topics, const Topic extends TopicOf<Topics>>(
  live: Live<Topics>,
  topic: Topic,
  { keep = 100 }: UseTopicOptions = {},
): TopicView<EventOf<Topics, Topic>> {
  // React subscribes to the view once the component is mounted, never while it renders.
  const view = useMemo(() => topicView(live, topic, keep), [live, topic, keep]);
  return useSyncExternalStore(view.subscribe, view.getSnapshot, () => emptyView);
}
