// The line between one guest and the server, which a storm cuts, stalls, and leaves open at one end only.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** One connection through the line: the guest's end, and the server's. */
interface Wire {
  readonly near: Socket;
  readonly far: Socket;
}

/** Which end of its connections is left open when the other has gone. */
export type End = "near" | "far";

/** Passes bytes on to a server that may change. */
export class Line {
  readonly url: string;
  /** Where new connections go. */
  #port: number;
  readonly #listener: Server;
  readonly #wires = new Set<Wire>();
  /** Ends whose other end has gone; nothing comes of what they say. */
  readonly #deaf = new Set<Socket>();
  #isPulled = false;
  #isStalled = false;

  private constructor(listener: Server, port: number) {
    this.#listener = listener;
    this.#port = port;
    this.url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
    listener.on("connection", (near) => this.#join(near));
  }

  /** A line to the server on this port. */
  static async to(port: number): Promise<Line> {
    const listener = createServer({ noDelay: true }).listen(0, "127.0.0.1");
    await once(listener, "listening");
    return new Line(listener, port);
  }

  /** New connections go to this port; those that stand remain. */
  lead(port: number): void {
    this.#port = port;
  }

  /** Ends every connection, whatever is on its way. */
  cut(): void {
    for (const { near, far } of this.#wires) {
      near.destroy();
      far.destroy();
    }
    for (const socket of this.#deaf) socket.destroy();
  }

  /** Cuts, and takes no new connection. */
  pull(): void {
    this.#isPulled = true;
    this.cut();
  }

  plugIn(): void {
    this.#isPulled = false;
  }

  /** Holds back whatever is said, in both directions, on connections that come meanwhile too. */
  stall(): void {
    this.#isStalled = true;
    for (const wire of this.#wires) pause(wire);
  }

  /** Passes on what was held back. */
  flow(): void {
    this.#isStalled = false;
    for (const { near, far } of this.#wires) {
      near.resume();
      far.resume();
    }
  }

  /** Every connection ends for one side, and the other is not told. */
  halve(open: End): void {
    for (const wire of this.#wires) {
      this.#wires.delete(wire);
      const [left, gone] = open === "near" ? [wire.near, wire.far] : [wire.far, wire.near];
      this.#deaf.add(left);
      left.once("close", () => this.#deaf.delete(left));
      left.removeAllListeners("data").resume();
      gone.removeAllListeners("close").destroy();
    }
  }

  close(): void {
    this.pull();
    this.#listener.close();
  }

  #join(near: Socket): void {
    near.on("error", () => near.destroy());
    if (this.#isPulled) return void near.destroy();
    const far = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    far.on("error", () => far.destroy());
    const wire = { near, far };
    this.#wires.add(wire);
    this.#pass(near, far, wire);
    this.#pass(far, near, wire);
    if (this.#isStalled) pause(wire);
  }

  #pass(from: Socket, to: Socket, wire: Wire): void {
    from.on("data", (bytes) => {
      if (to.write(bytes)) return;
      from.pause();
      to.once("drain", () => {
        if (!this.#isStalled) from.resume();
      });
    });
    from.on("close", () => {
      if (this.#wires.delete(wire)) to.destroy();
    });
  }
}

function pause({ near, far }: Wire): void {
  near.pause();
  far.pause();
}
