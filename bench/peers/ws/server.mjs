// Node's usual WebSocket library, with a set of sockets for each topic; the commands are those of the `raw` dialect.
import { WebSocketServer } from "ws";

const topics = new Map();

function topic(name) {
  let subscribers = topics.get(name);
  if (subscribers === undefined) topics.set(name, (subscribers = new Set()));
  return subscribers;
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 }, () => {
  const { address, port } = server.address();
  console.log(`listening ${address}:${port}`);
});

server.on("connection", (socket) => {
  let target;
  let subscribed;
  socket.on("message", (data) => {
    const command = String.fromCharCode(data[0]);
    if (command === "{" && target !== undefined) {
      for (const subscriber of target) subscriber.send(data, { binary: false });
      return;
    }
    if (command === "+") (subscribed = topic(data.toString("utf8", 1))).add(socket);
    if (command === ">") target = topic(data.toString("utf8", 1));
    if (command === "!") globalThis.gc();
    socket.send(data, { binary: false });
  });
  socket.on("close", () => subscribed?.delete(socket));
});
