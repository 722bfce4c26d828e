// The cable between one visitor and the server, which a test can pull and plug in again.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Passes bytes on to a server, unless it is pulled. */
export class Cable {
  readonly url: string;
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  #isPulled = false;

  private constructor(listener: Server, port: number) {
    this.#listener = listener;
    this.url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
    listener.on("connection", (near) => {
      if (this.#isPulled) return near.destroy();
      const far = connect(port, "127.0.0.1");
      for (const [from, to] of [[near, far], [far, near]] as const) {
        this.#sockets.add(from);
        from.pipe(to);
        from.on("error", () => from.destroy());
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  /** A cable to the server on this port. */
  static async to(port: number): Promise<Cable> {
    const listener = createServer().listen(0, "127.0.0.1");
    await once(listener, "listening");
    return new Cable(listener, port);
  }

  /** Cuts every connection, and each new one at once. */
  pull(): void {
    this.#isPulled = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nothing passes any more on the connections there are, and neither end is told; new ones are as good as ever. */
  strand(): void {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  plugIn(): void {
    this.#isPulled = false;
  }

  close(): void {
    this.pull();
    this.#listener.close();
  }
}
