// Bun's own WebSocket server with its own pub/sub; the commands are those of the `raw` dialect.
type Data = { target: string | undefined };

const server = Bun.serve<Data>({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    if (server.upgrade(request, { data: { target: undefined } })) return undefined;
    return new Response("a WebSocket server\n", { status: 426 });
  },
  websocket: {
    message(socket, message) {
      const text = message as string;
      if (text[0] === "{" && socket.data.target !== undefined) {
        server.publish(socket.data.target, text);
        return;
      }
      if (text[0] === "+") socket.subscribe(text.slice(1));
      if (text[0] === ">") socket.data.target = text.slice(1);
      if (text[0] === "!") Bun.gc(true);
      socket.send(text);
    },
  },
});

console.log(`listening ${server.hostname}:${server.port}`);
