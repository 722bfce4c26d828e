// A WebSocket server that sends as fast as its peer reads: the same frames, made beforehand, to whoever asks for them. It serves the page
// too. Its own process, so that it takes no time from a client; plain `node:net`, so that a library's pace is not what is measured.
//
// Argument: the page's script. Prints its port, then what the page posts, a line each.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const script = readFileSync(process.argv[2]);
const CHUNK_BYTES = 256 * 1024;

/** The bytes of a message to a client. */
function frame(text) {
  const payload = Buffer.from(text);
  const head = payload.length < 126 ? Buffer.from([0x81, payload.length]) : Buffer.from([0x81, 126, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([head, payload]);
}

const made = new Map();

/** `count` events whose frames have `bytes` bytes each, but for the digits of their offsets, in a few large pieces. */
function events(count, bytes) {
  const key = `${count} ${bytes}`;
  let pieces = made.get(key);
  if (!pieces) {
    pieces = [[]];
    let size = 0;
    for (let offset = 1; offset <= count; offset++) {
      const of = (text) => JSON.stringify({ topic: "chat:bench", offset, prev: offset - 1, data: { user: "ann", at_ms: 1_700_000_000_000 + offset, text } });
      const next = frame(of("x".repeat(Math.max(0, bytes - of("").length))));
      if (size + next.length > CHUNK_BYTES) {
        pieces.push([]);
        size = 0;
      }
      pieces.at(-1).push(next);
      size += next.length;
    }
    pieces = pieces.map((frames) => Buffer.concat(frames));
    made.set(key, pieces);
  }
  return pieces;
}

async function blast(socket, count, bytes) {
  for (const piece of events(count, bytes)) {
    if (!socket.write(piece)) await new Promise((resolve) => socket.once("drain", resolve));
  }
}

/** Text messages of a client, which are small and whole. */
function* messages(data) {
  for (let at = 0; at < data.length; ) {
    let length = data[at + 1] & 127;
    let body = at + 2;
    if (length === 126) {
      length = data.readUInt16BE(body);
      body += 2;
    }
    const mask = data.subarray(body, body + 4);
    const text = Buffer.from(data.subarray(body + 4, body + 4 + length)).map((byte, index) => byte ^ mask[index & 3]);
    if ((data[at] & 15) === 1) yield text.toString();
    at = body + 4 + length;
  }
}

const server = createServer((request, response) => {
  if (request.url === "/main.js") response.setHeader("content-type", "text/javascript").end(script);
  else if (request.method === "POST") request.setEncoding("utf8").on("data", (line) => console.log(line)).on("end", () => response.end());
  else if (request.url.startsWith("/?")) response.setHeader("content-type", "text/html").end('<!doctype html><meta charset="utf-8"><title>bench</title><script src="/main.js"></script>');
  else response.writeHead(404).end();
});

server.on("upgrade", (request, socket) => {
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const protocol = request.headers["sec-websocket-protocol"];
  const { searchParams } = new URL(request.url, "http://localhost");
  const [count, bytes] = [Number(searchParams.get("count")), Number(searchParams.get("bytes"))];
  events(count, bytes);
  socket.setNoDelay(true);
  socket.on("error", () => {});
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : ""}\r\n`,
  );
  const send = (value) => socket.write(frame(JSON.stringify(value)));
  socket.on("data", (data) => {
    for (const text of messages(data)) {
      const { topic, id } = JSON.parse(text);
      if (topic === "$hello") send({ topic: "$hello", re: id, data: { version: 1, session: "s", ping_ms: 25_000, pong_ms: 10_000, limits: { message_bytes: 1e6, subscriptions: 10 } } });
      else if (topic === "$subscribe") {
        send({ topic: "$reply", re: id, data: { epoch: "e", offset: 0, head: 0 } });
        void blast(socket, count, bytes);
      } else if (topic === "go") void blast(socket, count, bytes);
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
