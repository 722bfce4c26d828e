// The package `tidewire`: typed realtime for browser front ends of Rust back ends.
//
// Reading order: connect → connection (what a page calls) → driver (carries out what the core decides) → core, tuple (numbers),
// link (socket and token), member (one subscription), topics (who hears of what).

export { type Connect, type ConnectOptions, connect, connectWith } from "./connect.js";
export { CloseCode, ErrorCode } from "./codes.js";
export type { ConnectionState, ConnectionStore } from "./connection-state.js";
export type { CoreLoader } from "./core.js";
export { type ErrorSink, TidewireError } from "./errors.js";
export type { History, HistoryEvent, HistoryOptions } from "./history.js";
export type { Live, MessageHandler } from "./live.js";
export { type NameOf, type ParameterOf, topicName } from "./names.js";
export { type Presence, type PresenceState, presence } from "./presence.js";
export type {
  ArgsOf,
  CallOf,
  ChangeOf,
  EventOf,
  ItemOf,
  ItemsOf,
  KeyedTopicOf,
  PresenceOf,
  PresenceOption,
  PresenceTopicOf,
  PublishOf,
  PublishTopicOf,
  ReplyOf,
  Schema,
  SnapshotOf,
  StateOf,
  StreamOf,
  TopicOf,
} from "./schema.js";
export {
  type ChangeFrame,
  type EchoOptions,
  type ItemsKind,
  type ItemsOptions,
  items,
  type Reduce,
  reduced,
  type StateKind,
  type StateOptions,
  type StateSubscription,
  type TopicState,
} from "./state.js";
export { type ItemStream, type StreamOptions, stream } from "./stream.js";
export type { WebSocketConstructor } from "./socket.js";
export type { Store } from "./store.js";
export type {
  EventFrame,
  EventHandler,
  EventStream,
  Gap,
  Position,
  PublishOptions,
  RequestOptions,
  SubscribeOptions,
  Subscription,
  SubscriptionStatus,
} from "./subscription.js";
export {
  presenceStore,
  type TopicStore,
  topicStore,
  type TopicView,
  type TopicViewOf,
  type TopicViewOptions,
  type TopicViewStateOptions,
} from "./views.js";
