// Types, checked by `npm run typecheck` alone: each `@ts-expect-error` fails it if the line below has no error.

import { connect as connectTabs, shareWith } from "../src/tabs.js";
import { createLiveContext, useCall, usePresence, useTopic } from "../src/react.js";
import {
  type ArgsOf,
  type CallOf,
  type ChangeOf,
  connect,
  type EventOf,
  type Gap,
  type HistoryEvent,
  type ItemOf,
  items,
  type ItemStream,
  type KeyedTopicOf,
  type Live,
  type NameOf,
  type Position,
  type PresenceOf,
  type PresenceState,
  presence,
  type PresenceTopicOf,
  type PublishOf,
  type PublishTopicOf,
  reduced,
  type ReplyOf,
  type Schema,
  type SnapshotOf,
  type StateOf,
  type Store,
  stream,
  type StreamOf,
  type Subscription,
  topicName,
  type TopicState,
  topicStore,
} from "../src/index.js";

/** An error unless both are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <_Claim extends true>() => {};
/** An error unless the value may be used as this type. */
const take = <Type>(_value: Type) => {};

type Message = { user: string; text: string };
type NewMessage = { text: string };
type Entry = { at_ms: number };
type Quote = { symbol: string; price: number };
type Member = { name: string };
type Jobs = { open: number };

/** As the export of a Rust schema writes it. */
interface Topics {
  /** The messages of a room. */
  "chat:{room}": { event: Message; publish: NewMessage; snapshot: Array<Message>; presence: Member };
  "chat:{room}:log": { event: Entry; publish: never; snapshot: Array<Entry> };
  "prices": { event: Quote; publish: never; key: "symbol"; snapshot: { [key in string]: Quote } };
  "{tenant}:jobs:{id}": { event: string; publish: number; snapshot: Jobs };
  "seats:{hall}": { event: Entry; publish: never; key: "at_ms"; snapshot: { [key in string]: Entry }; presence: string | null };
}
interface Calls {
  "rooms.create": { args: NewMessage; reply: Message };
  "rooms.list": { args: null; reply: string[] };
}
declare const schema: Schema<Topics>;
declare const withCalls: Schema<Topics, Calls>;
const live = connect(schema, { url: "/ws" });
declare const room: string;

export function names(): void {
  same<Same<NameOf<"chat:{room}:log">, `chat:${string}:log`>>();
  same<Same<NameOf<"prices">, "prices">>();
  const name = topicName("chat:{room}", { room: "a b" });
  same<Same<typeof name, `chat:${string}`>>();
  topicName("{tenant}:jobs:{id}", { tenant: "t", id: 7 });
  topicName("prices", {});
  // @ts-expect-error a parameter is missing
  topicName("{tenant}:jobs:{id}", { tenant: "t" });
  // @ts-expect-error no such parameter
  topicName("chat:{room}", { room: "a", rom: "b" });
  // @ts-expect-error an object is no value of a parameter
  topicName("chat:{room}", { room: {} });
}

export function events(): void {
  same<Same<EventOf<Topics, "chat:general">, Message>>();
  same<Same<EventOf<Topics, "chat:general:log">, Entry>>();
  same<Same<EventOf<Topics, "prices">, Quote>>();
  same<Same<EventOf<Topics, "acme:jobs:7">, string>>();
  same<Same<EventOf<Topics, "chat:a" | "prices">, Message | Quote>>();
  same<Same<PublishOf<Topics, "chat:general">, NewMessage>>();
  same<Same<PublishOf<Topics, "prices">, never>>();

  live.subscribe("chat:general", (message, frame) => {
    same<Same<typeof message, Message>>();
    same<Same<typeof frame.offset, number>>();
  });
  live.subscribe(`chat:${room}`, (message) => same<Same<typeof message, Message>>());
  live.subscribe(`chat:${room}:log`, (entry) => same<Same<typeof entry, Entry>>());
  live.subscribe(topicName("chat:{room}", { room }), (message) => same<Same<typeof message, Message>>());
  const subscription = live.subscribe("prices", (quote) => same<Same<typeof quote, Quote>>(), { onGap: ({ to }) => to });
  same<Same<typeof subscription, Subscription<Quote | null, never>>>();

  // @ts-expect-error no such topic
  live.subscribe("chats:general", () => {});
  // @ts-expect-error a name has no fewer segments than its pattern
  live.subscribe("chat", () => {});
  // Template literal types take more segments and empty ones; there is nothing to do with such an event.
  live.subscribe("chat:a:b:c", (event) => same<Same<typeof event, never>>());
  live.subscribe("chat:", (event) => same<Same<typeof event, never>>());
  // @ts-expect-error any name at all
  live.subscribe(room, () => {});
  // @ts-expect-error the event has no such field
  live.subscribe("chat:general", (message) => message.body);
  // @ts-expect-error a handler of another event
  live.subscribe("chat:general", (quote: Quote) => quote.price);
}

export async function publishes(): Promise<void> {
  const position = await live.publish("chat:general", { text: "hello" });
  same<Same<typeof position, Position>>();
  await live.publish(`chat:${room}`, { text: "hello" });
  await live.publish("acme:jobs:7", 3);
  const general = live.subscribe("chat:general");
  await general.publish({ text: "hello" });

  // @ts-expect-error a field is missing
  await live.publish("chat:general", {});
  // @ts-expect-error of the wrong type
  await live.publish("chat:general", { text: 5 });
  // @ts-expect-error a field too many
  await live.publish("chat:general", { text: "", user: "ann" });
  // @ts-expect-error clients do not publish prices
  await live.publish("prices", { symbol: "A", price: 1 });
  // @ts-expect-error nor logs
  await live.publish("chat:general:log", { at_ms: 1 });
  // @ts-expect-error nor by a subscription
  await live.subscribe("prices").publish({ symbol: "A", price: 1 });
  // @ts-expect-error of the wrong type by a subscription
  await general.publish({ text: 5 });
}

export async function streams(): Promise<void> {
  for await (const quote of live.subscribe("prices", { buffer: 10 })) same<Same<typeof quote, Quote>>();
  // @ts-expect-error a subscription with a handler is no stream
  for await (const _ of live.subscribe("prices", () => {})) break;
  using held = live.subscribe("prices");
  await held.ready;
}

export function statesOfTopics(): void {
  same<Same<PublishTopicOf<Topics>, `chat:${string}` | `${string}:jobs:${string}`>>();
  same<Same<KeyedTopicOf<Topics>, "prices" | `seats:${string}`>>();
  same<Same<StateOf<Topics, "prices">, ReadonlyMap<string, Quote>>>();
  same<Same<StateOf<Topics, "prices" | "seats:a">, ReadonlyMap<string, Quote> | ReadonlyMap<string, Entry>>>();
  same<Same<StateOf<Topics, "chat:general">, readonly Message[]>>();
  same<Same<StateOf<Topics, "acme:jobs:7">, never>>();
  same<Same<SnapshotOf<Topics, "acme:jobs:7">, Jobs>>();
  same<Same<ChangeOf<Topics, "prices">, Quote | null>>();
  same<Same<ChangeOf<Topics, "chat:general">, Message>>();

  const general = live.subscribe("chat:general", { state: items() });
  same<Same<typeof general.state, Store<TopicState<readonly Message[], Message>>>>();
  void general.publish({ text: "" }, { echo: { user: "ann", text: "" } });
  const newest = items({ keep: 5 });
  const hoisted = live.subscribe("chat:general", { state: newest });
  same<Same<typeof hoisted, typeof general>>();
  const hoistedMap = live.subscribe("prices", () => {}, { state: newest });
  same<Same<typeof hoistedMap.state, Store<TopicState<ReadonlyMap<string, Quote>, Quote>>>>();
  const view = topicStore(live, "prices", { state: newest }).getSnapshot();
  same<Same<typeof view.state, ReadonlyMap<string, Quote> | undefined>>();
  // @ts-expect-error an echo is an event, not a publish
  void general.publish({ text: "" }, { echo: { text: "" } });
  // @ts-expect-error it is no stream
  void general[Symbol.asyncIterator];
  const prices = live.subscribe("prices", (quote) => same<Same<typeof quote, Quote>>(), { state: items({ keep: 5 }) });
  same<Same<typeof prices.state, Store<TopicState<ReadonlyMap<string, Quote>, Quote>>>>();
  const jobs = live.subscribe("acme:jobs:7", { state: reduced((jobs, event) => ({ open: jobs.open + event.length })) });
  same<Same<typeof jobs.state, Store<TopicState<Jobs, string>>>>();
  const names = live.subscribe("prices", {
    state: reduced(
      (names: readonly string[], quote, { key }) => {
        same<Same<typeof quote, Quote | null>>();
        same<Same<typeof key, string | undefined>>();
        return quote ? [...names, quote.symbol] : names;
      },
      (snapshot) => Object.keys(snapshot ?? {}),
    ),
  });
  same<Same<typeof names.state, Store<TopicState<readonly string[], Quote>>>>();
  // @ts-expect-error the snapshot has no such field
  live.subscribe("acme:jobs:7", { state: reduced((open: number) => open, (snapshot) => snapshot?.closed ?? 0) });
  // @ts-expect-error only where the state is kept is there one
  void live.subscribe("chat:general", () => {}).state;
  // @ts-expect-error nor are there echoes
  void live.subscribe("chat:general", () => {}).publish({ text: "" }, { echo: { user: "ann", text: "" } });
  same<Same<PresenceTopicOf<Topics>, `chat:${string}` | `seats:${string}`>>();
  same<Same<PresenceOf<Topics, "chat:general">, Member>>();
  same<Same<PresenceOf<Topics, "seats:a">, string | null>>();
  same<Same<PresenceOf<Topics, "prices">, never>>();
}

export function members(): void {
  const here = presence(live, "chat:general").getSnapshot();
  same<Same<typeof here, PresenceState<Member> | undefined>>();
  live.subscribe("chat:general", () => {}, { presence: { status: "here" } });
  // @ts-expect-error nobody is shown there
  presence(live, "prices");
  // So the user cannot be shown there either, in whatever way the topic is subscribed.
  // @ts-expect-error
  live.subscribe("prices", { presence: { status: "here" } });
  // @ts-expect-error
  live.subscribe("prices", () => {}, { presence: { status: "here" } });
  // @ts-expect-error
  live.subscribe("prices", { state: items(), presence: { status: "here" } });
  // @ts-expect-error
  live.subscribe("prices", () => {}, { state: items(), presence: { status: "here" } });
  // @ts-expect-error
  topicStore(live, "prices", { presence: { status: "here" } });
  // @ts-expect-error
  topicStore(live, "prices", { state: items(), presence: { status: "here" } });
  live.subscribe("prices", { presence: undefined });
  live.subscribe("chat:general", { state: items(), presence: "here" });
  topicStore(live, "chat:general", { state: false, presence: "here" });
}

export async function histories(): Promise<void> {
  const { events, epoch, head } = await live.history("chat:general", { before: 10, limit: 5 });
  same<Same<typeof events, readonly HistoryEvent<Message>[]>>();
  same<Same<[typeof epoch, typeof head], [string, number]>>();
  same<Same<(typeof events)[number]["data"], Message>>();
  const removals = await live.subscribe("prices").history({ after: 3, signal: new AbortController().signal });
  same<Same<(typeof removals.events)[number]["data"], Quote | null>>();
  // @ts-expect-error no such topic
  await live.history("chats:general");
}

export async function calls(): Promise<void> {
  same<Same<CallOf<Calls>, "rooms.create" | "rooms.list">>();
  same<Same<ArgsOf<Calls, "rooms.create">, NewMessage>>();
  same<Same<ReplyOf<Calls, "rooms.create">, Message>>();
  same<Same<ArgsOf<Calls, "rooms.list">, null>>();
  same<Same<ReplyOf<Calls, CallOf<Calls>>, Message | string[]>>();
  same<Same<CallOf<typeof schema extends Schema<Topics, infer None> ? None : string>, never>>();
  same<Same<typeof withCalls extends Schema<Topics, infer All> ? All : never, Calls>>();
  // @ts-expect-error no such call
  same<Same<ArgsOf<Calls, "rooms.end">, never>>();
  const both = connect(withCalls, { url: "" });
  same<Same<typeof both, Live<Topics, Calls>>>();
  const created = await both.call("rooms.create", { text: "" }, { timeout: 5_000, signal: new AbortController().signal });
  same<Same<typeof created, Message>>();
  same<Same<Awaited<ReturnType<typeof both.call<"rooms.list">>>, string[]>>();
  // @ts-expect-error of the wrong type
  await both.call("rooms.create", { text: 5 });
  // @ts-expect-error no such call
  await both.call("rooms.end", null);
  // @ts-expect-error the schema has none
  await live.call("rooms.list", null);
  // @ts-expect-error a schema without calls is not one with them
  take<typeof withCalls>(schema);
  take<Live<Topics>>(both);
  // @ts-expect-error nor is a connection
  take<Live<Topics, Calls>>(live);
}

export async function itemStreams(): Promise<void> {
  interface Streams {
    "rooms.list": { args: null; reply: string[] };
    "logs.tail": { args: { service: string }; item: Message };
    ticks: { args: null; item: number };
  }
  const live = connect({ name: "", entries: {} } as Schema<Topics, Streams>, { url: "" });
  same<Same<CallOf<Streams>, "rooms.list">>();
  same<Same<StreamOf<Streams>, "logs.tail" | "ticks">>();
  same<Same<ArgsOf<Streams, "logs.tail">, { service: string }>>();
  same<Same<ItemOf<Streams, "logs.tail">, Message>>();
  same<Same<StreamOf<Calls>, never>>();
  const lines = stream(live, "logs.tail", { service: "web" }, { timeout: 5_000, buffer: 10, signal: new AbortController().signal });
  same<Same<typeof lines, ItemStream<Message>>>();
  for await (const line of lines) same<Same<typeof line, Message>>();
  for await (const tick of stream(live, "ticks", null)) same<Same<typeof tick, number>>();
  // @ts-expect-error of the wrong type
  stream(live, "logs.tail", { service: 5 });
  // @ts-expect-error no stream, but a call
  stream(live, "rooms.list", null);
  // @ts-expect-error no call, but a stream
  await live.call("ticks", null);
  // @ts-expect-error no call, but a stream
  useCall(live, "ticks");
}

export function messages(): void {
  live.on("greeting", (data) => same<Same<typeof data, unknown>>())();
  same<Same<ReturnType<typeof live.send>, Promise<void>>>();
  // @ts-expect-error what comes untyped is unknown
  live.on("greeting", (data: string) => data);
}

export function states(): void {
  const { state, retryAt, incompatible } = live.connection.getSnapshot();
  same<Same<typeof state, "idle" | "connecting" | "connected" | "waiting" | "closed">>();
  same<Same<typeof retryAt, number | undefined>>();
  same<Same<typeof incompatible, readonly string[]>>();
  // @ts-expect-error a snapshot is not to be changed
  live.connection.getSnapshot().state = "closed";
}

export function connections(): void {
  same<Same<typeof live, Live<Topics>>>();
  connect(schema, { url: new URL("wss://example.test"), token: async () => undefined });
  connect(schema, { url: "/ws", token: "t", WebSocket });
  // A schema for messages without types.
  const untyped = connect({ name: "", entries: {} } as Schema<Record<string, { event: unknown; publish: unknown }>>, { url: "" });
  untyped.subscribe("anything:at:all", (event) => same<Same<typeof event, unknown>>());
  // @ts-expect-error a schema of two is not that of one
  take<Live<Pick<Topics, "prices">>>(live);
  // @ts-expect-error there is no connection without an address
  connect(schema, {});
  // @ts-expect-error a token is text
  connect(schema, { url: "", token: () => 5 });
}

{
  const live = connectTabs(schema, { url: "/ws", shareAs: "ann", token: () => "t" });
  same<Same<typeof live, Live<Topics, {}>>>();
  same<Same<ReturnType<typeof shareWith>, typeof connectTabs>>();
  live.subscribe("chat:general", (message) => same<Same<typeof message, Message>>());
  // @ts-expect-error with whom to share has to be said
  connectTabs(schema, { url: "/ws" });
  // @ts-expect-error an id is text
  connectTabs(schema, { url: "/ws", shareAs: 7 });
  // @ts-expect-error no such topic
  live.subscribe("chats:general", () => {});
}

const { LiveProvider, useLive } = createLiveContext(withCalls);

export function Component() {
  const { events, state, presence, publish, gap } = useTopic(live, "chat:general", { presence: { status: "here" } });
  // @ts-expect-error nobody is shown there
  useTopic(live, "prices", { presence: { status: "here" } });
  same<Same<typeof events, readonly Message[]>>();
  same<Same<typeof state, readonly Message[] | undefined>>();
  same<Same<typeof presence, PresenceState<Member> | undefined>>();
  same<Same<typeof gap, Gap | undefined>>();
  void publish({ text: "" }, { echo: { user: "ann", text: "" } });
  // @ts-expect-error of the wrong type
  void publish({ text: 5 });
  const prices = useTopic(live, "prices", { keep: 5 });
  same<Same<typeof prices.state, ReadonlyMap<string, Quote> | undefined>>();
  same<Same<typeof prices.presence, PresenceState<never> | undefined>>();
  const jobs = useTopic(useLive(), "acme:jobs:7");
  same<Same<typeof jobs.state, undefined>>();
  const open = useTopic(useLive(), "acme:jobs:7", {
    state: reduced((jobs: number, event) => jobs + event.length, (snapshot) => snapshot?.open ?? 0),
  });
  same<Same<typeof open.state, number | undefined>>();
  const here = usePresence(useLive(), "chat:general");
  same<Same<typeof here, PresenceState<Member> | undefined>>();
  // @ts-expect-error nobody is shown there
  usePresence(live, "prices");
  const { call, reply, error } = useCall(useLive(), "rooms.create");
  same<Same<typeof reply, Message | undefined>>();
  same<Same<typeof error, unknown>>();
  void call({ text: "" });
  // @ts-expect-error of the wrong type
  void call({ text: 5 });
  // @ts-expect-error the schema has no calls
  useCall(live, "rooms.create");
  LiveProvider({ live: useLive() });
  // @ts-expect-error no such topic
  return useTopic(live, "chats:general");
}
