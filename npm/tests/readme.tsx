// The code of README.md and docs/client.md, compiled by `npm run typecheck`; readme.test.ts holds them together.

import { connect, connectWith, ErrorCode, items, presence, reduced, type Schema, stream, TidewireError, topicName } from "../src/index.js";
import { connect as connectTabs } from "../src/tabs.js";
import { createLiveContext, useCall, useConnection, usePresence, useTopic } from "../src/react.js";

interface Message {
  text: string;
  user: string;
  at_ms: number;
}
interface Order {
  id: string;
  amount: number;
}
interface ChatTopics {
  "chat:{room}": { event: Message; publish: { text: string }; snapshot: Array<Message>; presence: { status: string } };
  prices: { event: number; publish: never; snapshot: Array<number> };
  orders: { event: Order; publish: never; key: "id"; snapshot: { [key in string]: Order } };
  sales: { event: Order; publish: never; snapshot: { total: number } };
}
interface ChatCalls {
  "rooms.create": { args: { name: string }; reply: { id: number } };
  "logs.tail": { args: { service: string }; item: { text: string } };
}
declare const chat: Schema<ChatTopics, ChatCalls>;
declare const me: string;
declare const input: string;
declare const user: { id: string };
declare const leaving: AbortSignal;
declare const fetchToken: () => Promise<string>;
declare const show: (text: string) => void;
declare const draw: (value: unknown) => void;

const live = connect(chat, { url: "/ws", token: () => fetchToken() });
const room = live.subscribe("chat:general", (message) => show(message.text));
await room.publish({ text: "hello" });

for await (const quote of live.subscribe("prices")) draw(quote);

{
  const connect = connectTabs;
  const shared = connect(chat, { url: "/ws", token: () => fetchToken(), shareAs: user.id });
  shared.close();
}

{
  const room = live.subscribe("chat:general", { state: items() });
  room.state.subscribe(() => draw(room.state.getSnapshot().value));
  await room.publish({ text: "hello" }, { echo: { text: "hello", user: me, at_ms: Date.now() } });

  const { events } = await room.history({ before: 42, limit: 50 });
  for (const { data, offset } of events) show(`${offset}: ${data.text}`);
}

{
  const { id } = await live.call("rooms.create", { name: "lobby" }, { timeout: 5_000, signal: leaving });
  show(`room ${id}`);
}

for await (const line of stream(live, "logs.tail", { service: "web" })) {
  show(line.text);
  if (line.text === "ready") break;
}

{
  live.subscribe("chat:general", (message) => show(message.text), { presence: { status: "here" } });
  const here = presence(live, "chat:general");
  here.subscribe(() => draw(here.getSnapshot()?.members));
}

live.subscribe(topicName("chat:{room}", { room: input }), (message) => show(message.text));

try {
  await live.publish("chat:general", { text: "" });
} catch (error) {
  if (error instanceof TidewireError && error.code === ErrorCode.invalid_data) show(error.message);
  else throw error;
}

live.subscribe("chat:general", (message) => show(message.text), {
  onGap: ({ after, to, cause }) => show(`messages ${after + 1} to ${to} are missing: ${cause}`),
});

live.on("greeting", (data) => console.log(data));
await live.send("wave", { to: "all" });

live.connection.subscribe(() => {
  const { state, retryAt, incompatible } = live.connection.getSnapshot();
  if (state === "waiting") show(`back at ${new Date(retryAt ?? 0).toLocaleTimeString()}`);
  if (incompatible.length > 0) show("this page is older than its server: reload it");
});

const sales = live.subscribe("sales", {
  state: reduced((state, order) => ({ total: state.total + order.amount })),
});
const count = live.subscribe("orders", {
  state: reduced(
    (ids: ReadonlySet<string>, order, { key = "" }) => {
      const next = new Set(ids);
      if (order) next.add(key);
      else next.delete(key);
      return next;
    },
    (snapshot) => new Set(Object.keys(snapshot ?? {})),
  ),
});
draw([sales.state.getSnapshot().value?.total, count.state.getSnapshot().value?.size]);

live.subscribe("orders", (order) => draw(order), { onRemoved: (key) => show(`${key} is closed`) });

await room.setWish({ status: "away" });

export function Room({ name }: { name: string }) {
  const { state: connection } = useConnection(live);
  const { state = [], publish } = useTopic(live, topicName("chat:{room}", { room: name }));
  const say = (text: string) => publish({ text }, { echo: { text, user: me, at_ms: Date.now() } });
  return (
    <section title={connection}>
      {state.map((message) => <p key={message.at_ms}>{message.text}</p>)}
      <button onClick={() => say("hello")}>Say hello</button>
    </section>
  );
}

export const { LiveProvider, useLive } = createLiveContext(chat);

export function NewRoom() {
  const { call, state, error } = useCall(useLive(), "rooms.create");
  const here = usePresence(useLive(), "chat:general");
  return (
    <button disabled={state === "pending"} onClick={() => call({ name: "lobby" })}>
      {state === "failed" ? String(error) : `Create a room (${here?.count ?? 0} here)`}
    </button>
  );
}

{
  const connect = connectWith(() => WebAssembly.instantiateStreaming(fetch("/core.wasm")));
  connect(chat, { url: "/ws" });
}
