// The leading tab's side of all lines: who the tabs are, and which connection each line is on.

import type { ErrorSink } from "./errors.js";
import type { Down, Up } from "./line.js";
import type { Port } from "./shared-topic.js";
import type { Dial } from "./socket.js";
import { Trunk } from "./trunk.js";

/** A tab's text that was sent and not yet taken; beyond, its lines are closed: it may be frozen and keeps all of it. */
const MOST_UNTAKEN_CHARS = 16 * 1024 * 1024;

const ABNORMAL = 1006;
const SLOW_CONSUMER = 4001;

/** A tab, as the leading one sees it. */
export interface Peer {
  readonly isOwn: boolean;
  /** Whether it is worth trying a server that is away. */
  isEager: boolean;
  /** Takes what the leading tab says. */
  readonly tell: (message: Down) => void;
  readonly ports: Map<number, LinePort>;
  untaken: number;
}

/** One line of a tab. */
class LinePort implements Port {
  readonly peer: Peer;
  readonly line: number;
  trunk: Trunk | undefined;
  readonly #leave: (port: LinePort) => void;

  constructor(peer: Peer, line: number, leave: (port: LinePort) => void) {
    this.peer = peer;
    this.line = line;
    this.#leave = leave;
  }

  get isOwn(): boolean {
    return this.peer.isOwn;
  }

  opened(): void {
    this.peer.tell({ op: "opened", line: this.line });
  }

  post(text: string): void {
    const { peer, line } = this;
    if (peer.ports.get(line) !== this) return;
    peer.untaken += text.length;
    if (peer.untaken > MOST_UNTAKEN_CHARS) this.closed(SLOW_CONSUMER, "");
    else peer.tell({ op: "text", line, text });
  }

  closed(code: number, reason: string): void {
    const { peer, line } = this;
    if (peer.ports.get(line) !== this) return;
    peer.tell({ op: "closed", line, code, reason });
    this.#leave(this);
  }
}

/** What the leading tab does for all. */
export class Leader {
  readonly #dial: Dial;
  readonly #client: string;
  readonly #onError: ErrorSink;
  readonly #peers = new Set<Peer>();
  readonly #trunks = new Set<Trunk>();
  /** That of new lines. */
  #trunk: Trunk | undefined;
  /** Lines of tabs that do not try by themselves. */
  readonly #waiting = new Set<LinePort>();

  /** @param client what it calls itself to the server. */
  constructor(dial: Dial, client: string, onError: ErrorSink) {
    this.#dial = dial;
    this.#client = client;
    this.#onError = onError;
  }

  /** One more tab. */
  join(isOwn: boolean, isEager: boolean, tell: (message: Down) => void): Peer {
    const peer: Peer = { isOwn, isEager: isOwn || isEager, tell, ports: new Map(), untaken: 0 };
    this.#peers.add(peer);
    this.welcome(peer);
    return peer;
  }

  welcome(peer: Peer): void {
    peer.tell({ op: "welcome", client: this.#client });
  }

  /** A tab is gone. */
  leave(peer: Peer): void {
    this.#peers.delete(peer);
    for (const port of [...peer.ports.values()]) this.#drop(port);
  }

  /** What a tab says. */
  receive(peer: Peer, message: Up): void {
    if (!this.#peers.has(peer)) return;
    // The timers of this tab may be slow.
    for (const trunk of this.#trunks) trunk.look();
    switch (message.op) {
      case "open": {
        const port = new LinePort(peer, message.line, (port) => this.#drop(port));
        peer.ports.set(message.line, port);
        return this.#place(port);
      }
      case "text": {
        const port = peer.ports.get(message.line);
        return port?.trunk?.receive(port, message.text);
      }
      case "close": {
        const port = peer.ports.get(message.line);
        return port && this.#drop(port);
      }
      case "took":
        peer.untaken -= message.chars;
        return;
      case "eager":
        peer.isEager = peer.isOwn || message.eager;
        if (peer.isEager && [...this.#waiting].some((port) => port.peer === peer)) this.#open();
        return;
      case "ask":
        return peer.tell({ op: "here" });
    }
  }

  /** Ends every connection. The tabs are not told: the next tab that leads does it. */
  close(): void {
    this.#peers.clear();
    for (const trunk of this.#trunks) trunk.close();
    this.#trunks.clear();
    this.#trunk = undefined;
    this.#waiting.clear();
  }

  /** Puts a line on the connection there is. A tab that is not shown waits until another tries, so that twenty do not. */
  #place(port: LinePort): void {
    this.#waiting.add(port);
    if (this.#trunk) this.#attachWaiting();
    else if (port.peer.isEager) this.#open();
  }

  #open(): void {
    if (!this.#trunk) {
      try {
        this.#trunk = this.#newTrunk();
        this.#trunks.add(this.#trunk);
      } catch (error) {
        this.#onError(error);
        for (const port of [...this.#waiting]) if (port.peer.isEager) port.closed(ABNORMAL, "");
        return;
      }
    }
    this.#attachWaiting();
  }

  #attachWaiting(): void {
    const trunk = this.#trunk as Trunk;
    for (const port of this.#waiting) {
      port.trunk = trunk;
      trunk.attach(port);
    }
    this.#waiting.clear();
  }

  #newTrunk(): Trunk {
    const trunk: Trunk = new Trunk(this.#dial, this.#client, {
      drained: () => {
        if (this.#trunk === trunk) this.#trunk = undefined;
      },
      greeted: () => {
        for (const peer of this.#peers) peer.tell({ op: "back" });
      },
      ended: (ports, wasOpen, code, reason) => {
        this.#forget(trunk);
        for (const port of ports as readonly LinePort[]) {
          port.trunk = undefined;
          if (wasOpen || port.peer.isEager) port.closed(code, reason);
          else this.#waiting.add(port);
        }
      },
    });
    return trunk;
  }

  #drop(port: LinePort): void {
    const { trunk, peer, line } = port;
    peer.ports.delete(line);
    this.#waiting.delete(port);
    trunk?.detach(port);
    if (trunk?.isOver) this.#forget(trunk);
  }

  #forget(trunk: Trunk): void {
    this.#trunks.delete(trunk);
    if (this.#trunk === trunk) this.#trunk = undefined;
  }
}
