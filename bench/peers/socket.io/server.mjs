// Socket.IO on Node: rooms, events, acknowledgements.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });

io.on("connection", (socket) => {
  socket.on("join", (room, acknowledge) => {
    socket.join(room);
    acknowledge();
  });
  socket.on("publish", (room, item) => io.to(room).emit("event", item));
  socket.on("echo", (item, acknowledge) => acknowledge(item));
  socket.on("collect", (acknowledge) => {
    globalThis.gc();
    acknowledge();
  });
});

http.listen(0, "127.0.0.1", () => {
  const { address, port } = http.address();
  console.log(`listening ${address}:${port}`);
});
