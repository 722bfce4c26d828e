// The code of README.md, compiled by `npm run typecheck`; readme.test.ts holds the two together.

import { connect, ErrorCode, type Schema, TidewireError, topicName } from "../src/index.js";
import { useConnection, useTopic } from "../src/react.js";

interface ChatTopics {
  "chat:{room}": { event: { text: string; at_ms: number }; publish: { text: string } };
  prices: { event: number; publish: never };
}
declare const chat: Schema<ChatTopics>;
declare const input: string;
declare const fetchToken: () => Promise<string>;
declare const show: (text: string) => void;
declare const draw: (quote: number) => void;

const live = connect(chat, { url: "/ws", token: () => fetchToken() });
const room = live.subscribe("chat:general", (message) => show(message.text));
await room.publish({ text: "hello" });

for await (const quote of live.subscribe("prices")) draw(quote);

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

export function Room({ name }: { name: string }) {
  const { state } = useConnection(live);
  const { events } = useTopic(live, topicName("chat:{room}", { room: name }));
  return <ul title={state}>{events.map((message) => <li key={message.at_ms}>{message.text}</li>)}</ul>;
}
