// How fast messages reach a handler: through the package, and through a WebSocket and JSON.parse written by hand. Runs in pages and in Node.

import { connect } from "tidewire";

const schema = { name: "Bench", entries: {} };

/** Counts to a number, and gives the messages per second from the first to the last. */
function counter(count) {
  let heard = 0;
  let begin = 0;
  let sum = 0;
  let done = () => {};
  const rate = new Promise((resolve) => (done = resolve));
  const handler = (data) => {
    if (heard === 0) begin = performance.now();
    sum += data.text.length + data.at_ms;
    if (++heard < count) return;
    done(((count - 1) * 1_000) / (performance.now() - begin));
    if (!(sum > 0)) throw new Error("nothing was read");
  };
  return { handler, rate };
}

async function ours(url, count) {
  const { handler, rate } = counter(count);
  let failed;
  const failure = new Promise((_, reject) => (failed = reject));
  const live = connect(schema, { url, onError: failed });
  live.subscribe("chat:bench", handler);
  const result = await Promise.race([rate, failure]);
  live.close();
  return result;
}

async function byHand(url, count) {
  const { handler, rate } = counter(count);
  const socket = new WebSocket(url);
  socket.onopen = () => socket.send('{"topic":"go"}');
  socket.onmessage = (event) => {
    const frame = JSON.parse(event.data);
    if (frame.topic === "chat:bench") handler(frame.data);
  };
  const result = await rate;
  socket.close();
  return result;
}

/** The rates of each round, for each size (bytes of a frame, how many). Who is first alternates. */
export async function all(address, rounds, sizes) {
  const runs = { ours, byHand };
  const rates = sizes.map(() => []);
  // One round first that does not count: what is compiled late would be slow for who comes first.
  for (let number = -1; number < rounds; number++) {
    for (const [index, [bytes, count]] of sizes.entries()) {
      const both = {};
      for (const name of number % 2 === 0 ? ["ours", "byHand"] : ["byHand", "ours"]) {
        both[name] = await runs[name](`${address}/?count=${count}&bytes=${bytes}`, count);
      }
      if (number >= 0) rates[index].push(both);
    }
  }
  return rates;
}

// As a page: what its address names, and the results to where it came from.
const { location } = globalThis;
if (location) {
  const { rounds, sizes } = Object.fromEntries(new URLSearchParams(location.search));
  const post = (result) => fetch("/", { method: "POST", body: JSON.stringify(result) });
  all(`ws://${location.host}`, Number(rounds), JSON.parse(sizes)).then(post, (error) => post({ error: String(error) }));
}
