// Written by `cargo xtask codegen` from protocol/src/code.rs. Do not edit.

/** Why a request was not done, by name. */
export const ErrorCode = {
  /** The frame is not a JSON object of the protocol. */
  malformed: 100,
  /** The topic's name is empty, too long or has control characters. */
  invalid_topic: 101,
  /** The topic begins with `$` and is no request of this version. */
  reserved_topic: 102,
  /** No pattern of the schema and no hook covers the topic. */
  unknown_topic: 103,
  /** The data is not of the type that the schema declares. */
  invalid_data: 104,
  /** Client and server were built with different schemas of this entry. */
  incompatible: 105,
  /** The message is larger or nested deeper than the limit. */
  too_large: 106,
  /** The request came before the hello was answered, or a second hello came. */
  not_ready: 107,
  /** No call of the schema has this name. */
  unknown_call: 108,
  /** It is not known who asks. */
  unauthorized: 200,
  /** The session may not do this. */
  forbidden: 201,
  /** A limit of the session is reached. */
  limit: 300,
  /** Too many messages or bytes in too short a time. */
  rate_limited: 301,
  /** The server failed. */
  internal: 302,
  /** The broker cannot be reached. */
  unavailable: 303,
  /** The server did not finish in time. */
  timeout: 304,
  /** The connection ended before the request was sent: it was not done. */
  not_sent: 400,
  /** The connection ended before the answer came: it may have been done. */
  unknown: 401,
  /** The client was closed. */
  closed: 402,
  /** Too many requests wait for a connection. */
  offline_queue_full: 403,
  /** Who asked no longer wants the answer; what was asked may have been done. */
  cancelled: 404,
} as const;

/** Why a connection ended, by name. */
export const CloseCode = {
  /** Closed on purpose by either side. */
  normal: 1000,
  /** The server stops, or the page is left. */
  going_away: 1001,
  /** The peer broke the WebSocket protocol. */
  protocol: 1002,
  /** A binary message came. */
  unsupported: 1003,
  /** The connection was lost without a close frame; never sent. */
  abnormal: 1006,
  /** A text message was not UTF-8. */
  invalid_utf8: 1007,
  /** A message was over the read limit. */
  too_big: 1009,
  /** A hook of the server panicked. */
  internal: 1011,
  /** The node is being replaced. */
  drain: 4000,
  /** The client did not read as fast as its queue filled. */
  slow_consumer: 4001,
  /** The token ran out: come back with a fresh one. */
  token_expired: 4002,
  /** The server has no room for another session. */
  overloaded: 4100,
  /** The client kept sending faster than its limit. */
  rate_limited: 4101,
  /** A hook of the server did not end in time. */
  hook_timeout: 4102,
  /** The peer did not answer a ping. */
  dead_peer: 4103,
  /** The peer took no bytes for too long. */
  write_timeout: 4104,
  /** Authentication was refused. */
  unauthorized: 4200,
  /** The page's origin is not allowed. */
  forbidden_origin: 4201,
  /** The hello was malformed, too large or of another protocol version. */
  bad_hello: 4202,
  /** No hello came in time. */
  hello_timeout: 4203,
  /** The application ended the session. */
  kicked: 4204,
  /** A fresh token named another user. */
  user_changed: 4205,
} as const;
