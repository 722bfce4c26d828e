// A project with a server of its own, behind one address with the chat server's socket, as a proxy would have it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { connect, createServer as listen } from "node:net";

/** Starts both; the address. */
export async function front({ serve }, options, chat, stop) {
  const port = await freePort();
  const [program, ...words] = serve.split(" ");
  const child = spawn(program, [...words, String(port)], { ...options, stdio: ["ignore", "ignore", "inherit"] });
  stop.push(() => child.kill());
  await answering(port, child);
  const proxy = createServer(({ method, url, headers }, response) => {
    const passed = request({ host: "127.0.0.1", port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    passed.on("error", () => response.destroy());
    passed.end();
  });
  proxy.on("upgrade", ({ method, url, rawHeaders }, socket, head) => {
    const upstream = connect(Number(chat.port), chat.hostname, () => {
      const lines = [`${method} ${url} HTTP/1.1`];
      for (let at = 0; at < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
      upstream.write(`${lines.join("\r\n")}\r\n\r\n`);
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    for (const one of [socket, upstream]) one.on("error", () => [socket, upstream].forEach((other) => other.destroy()));
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  stop.push(() => (proxy.closeAllConnections(), proxy.close()));
  return new URL(`http://127.0.0.1:${proxy.address().port}/`);
}

/** A port that was free just now: the program takes no 0. */
async function freePort() {
  const server = listen();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answering(port, child) {
  for (const end = Date.now() + 30_000; Date.now() < end && child.exitCode === null; ) {
    try {
      return await fetch(`http://127.0.0.1:${port}/`);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  throw new Error("the project's server does not answer");
}
