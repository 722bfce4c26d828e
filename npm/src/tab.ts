// One tab among those that share a connection: its lines, and who leads.
//
// The lock of the group's name is the leading tab's. Each tab holds one of its own too, for which the leader waits: the browser gives
// it when the tab is gone, however it went. Tabs hear of a leader on the group's channel; with the leader each speaks on a channel of
// its own, in order.

import type { ConnectionStore } from "./connection-state.js";
import type { ErrorSink } from "./errors.js";
import { Leader, type Peer } from "./leader.js";
import { type Down, type Exchange, Line, type Up } from "./line.js";
import { dialer, type WebSocketConstructor } from "./socket.js";
import { type Watch, watch } from "./watch.js";

/** What a tab needs of its page. */
export interface Page {
  readonly locks: LockManager;
  readonly BroadcastChannel: new (name: string) => BroadcastChannel;
  /** A worker has none, and counts as shown. */
  readonly document?: (EventTarget & { readonly visibilityState: string }) | undefined;
  readonly window: EventTarget;
}

/** What a tab is made of. */
export interface TabOptions {
  readonly WebSocket: WebSocketConstructor;
  readonly onError: ErrorSink;
  /** The name of those that share, once the server's address is known. */
  readonly nameOf: (url: string) => Promise<string>;
}

/** What is said on the group's channel. */
type Notice =
  /** This tab leads. */
  | { readonly lead: string }
  /** Who leads? */
  | { readonly who: true }
  /** A tab wants lines: of this leader, or of whoever leads. */
  | { readonly join: string; readonly to: string | undefined; readonly eager: boolean };

/** From a page's coming until it sleeps or goes; it comes back as another. */
interface Stay {
  readonly id: string;
  readonly end: AbortController;
  /** Resolves at the end. */
  readonly over: Promise<void>;
  readonly group: BroadcastChannel;
  readonly own: BroadcastChannel;
  /** Its own lock is held, so that a leader can wait for it. */
  isHeld: boolean;
  /** Ends the wait for the leader's lock. */
  queue: AbortController;
  /** Who leads, as far as is known. */
  leader: string | undefined;
  /** That one has taken this tab. */
  isWelcome: boolean;
  /** This tab leads. */
  lead: Lead | undefined;
}

interface Lead {
  readonly leader: Leader;
  readonly own: Peer;
  /** The other tabs. */
  readonly peers: Map<string, Peer>;
  readonly end: AbortController;
}

/** It may have been done. */
const UNKNOWN = 401;
/** Come back now. */
const COME_BACK = 4000;
/** A client that came back a moment ago waits so long before it may again. */
const SPACING_MS = 1_000;
/** Text is said to be taken in parts of so many characters. */
const TOOK_CHARS = 64 * 1024;

/** A tab's part in a group. */
export class Tab implements Exchange {
  /** What the tab's client takes for a WebSocket class. */
  readonly WebSocket: WebSocketConstructor;
  readonly #page: Page;
  readonly #options: TabOptions;
  readonly #lines = new Map<number, Line>();
  readonly #watch: Watch;
  readonly #listeners: readonly (readonly [EventTarget | undefined, string, () => void])[];
  #count = 0;
  #url = "";
  #name = "";
  #connection: ConnectionStore | undefined;
  #stay: Stay | undefined;
  /** What the leaders of this group call themselves to the server. */
  #client: string | undefined;
  /** What the leader called itself with which this tab's client last had a connection. */
  #spokeAs: string | undefined;
  #taken = 0;
  #isClosed = false;

  constructor(page: Page, options: TabOptions) {
    const tab = this;
    this.WebSocket = class extends Line {
      constructor(url: string) {
        super(tab, url);
      }
    };
    this.#page = page;
    this.#options = options;
    this.#watch = watch(
      () => this.#ask(),
      () => this.#steal(),
    );
    const { document, window } = page;
    const leave = () => this.#leave();
    const enter = () => this.#enter();
    this.#listeners = [
      [document, "freeze", leave],
      [window, "pagehide", leave],
      [document, "resume", enter],
      [window, "pageshow", enter],
      [document, "visibilitychange", () => this.#shown()],
    ];
    for (const [target, name, listener] of this.#listeners) target?.addEventListener?.(name, listener);
  }

  /** The client's connection, which is told when there is something to come back to. */
  watch(connection: ConnectionStore): void {
    this.#connection = connection;
  }

  /** Leaves for good. */
  close(): void {
    this.#isClosed = true;
    this.#leave();
    for (const [target, name, listener] of this.#listeners) target?.removeEventListener?.(name, listener);
  }

  open(line: Line, url: string): void {
    line.number = ++this.#count;
    this.#lines.set(line.number, line);
    if (this.#name) this.#offer();
    else if (!this.#url) void this.#begin(url);
  }

  send(line: Line, text: string): void {
    const { number, isAsked, isOther } = line;
    if (!number || !isAsked) return;
    const { id, epoch } = (isOther ? JSON.parse(text) : {}) as { id?: number; epoch?: string };
    if (epoch === undefined) return this.#tell({ op: "text", line: number, text });
    // Sent again, and the server would take it for another.
    const data = JSON.stringify({ topic: "$error", re: id, data: { code: UNKNOWN, name: "unknown" } });
    queueMicrotask(() => line.onmessage?.({ data }));
  }

  hangUp(line: Line): void {
    const { number, isAsked } = line;
    this.#lines.delete(number);
    line.number = 0;
    if (number && isAsked) this.#tell({ op: "close", line: number });
  }

  async #begin(url: string): Promise<void> {
    this.#url = url;
    this.#name = await this.#options.nameOf(url);
    this.#enter();
  }

  /** Comes among the tabs. Of an earlier stay nothing stands. */
  #enter(): void {
    if (this.#stay || this.#isClosed || !this.#name) return;
    const { BroadcastChannel, locks } = this.#page;
    const id = randomId();
    const end = new AbortController();
    const stay: Stay = {
      id,
      end,
      over: new Promise((resolve) => end.signal.addEventListener("abort", () => resolve())),
      group: new BroadcastChannel(this.#name),
      own: new BroadcastChannel(`${this.#name}:${id}`),
      isHeld: false,
      queue: new AbortController(),
      leader: undefined,
      isWelcome: false,
      lead: undefined,
    };
    this.#stay = stay;
    stay.group.onmessage = ({ data }: MessageEvent<Notice>) => this.#notice(stay, data);
    stay.own.onmessage = ({ data }: MessageEvent<Down & { from: string }>) => {
      if (data.op === "welcome") stay.leader ??= data.from;
      if (data.from === stay.leader) this.#hear(stay, data);
    };
    const held = () => {
      stay.isHeld = true;
      if (this.#stay === stay) this.#join(stay);
      return stay.over;
    };
    locks.request(`${this.#name}:${id}`, { signal: end.signal }, held).catch((error) => this.#alone(stay, error));
    void this.#seek(stay, { signal: stay.queue.signal });
    this.#endLines();
    this.#watchLeader();
  }

  /** The page sleeps or goes, and whoever is next leads. With a lock or a channel it would not be kept for coming back. */
  #leave(): void {
    const stay = this.#stay;
    if (!stay) return;
    this.#stay = undefined;
    this.#stopLeading(stay);
    stay.end.abort();
    stay.queue.abort();
    stay.group.close();
    stay.own.close();
    this.#watchLeader();
  }

  /** Waits for the leader's lock, or takes it; resolves when that is done. */
  #seek(stay: Stay, how: LockOptions): Promise<void> {
    let isMine = false;
    return new Promise((resolve) => {
      const granted = () => {
        resolve();
        if (this.#stay !== stay) return;
        isMine = true;
        this.#lead(stay);
        return stay.over;
      };
      this.#page.locks.request(this.#name, how, granted).catch((error) => {
        resolve();
        if (this.#stay !== stay) return;
        if (isMine) this.#robbed(stay);
        else this.#alone(stay, error);
      });
    });
  }

  /** Where a page may have no locks it is a group of its own. */
  #alone(stay: Stay, error: unknown): void {
    if ((error as Error).name !== "AbortError" && this.#stay === stay) this.#lead(stay);
  }

  #lead(stay: Stay): void {
    if (stay.lead) return;
    const { WebSocket, onError } = this.#options;
    const leader = new Leader(dialer(WebSocket, this.#url), (this.#client ??= randomId()), onError);
    // Later, as from another tab: what is told here may come of what the client is just doing.
    const tell = (message: Down) => queueMicrotask(() => stay.lead?.leader === leader && this.#hear(stay, message));
    stay.leader = stay.id;
    stay.isWelcome = false;
    stay.lead = { leader, own: leader.join(true, true, tell), peers: new Map(), end: new AbortController() };
    this.#watchLeader();
    this.#endLines();
    stay.group.postMessage({ lead: stay.id } satisfies Notice);
  }

  #stopLeading(stay: Stay): void {
    stay.lead?.leader.close();
    stay.lead?.end.abort();
    stay.lead = undefined;
    stay.leader = undefined;
    stay.isWelcome = false;
  }

  /** Another tab has taken the lock, because this one was silent. */
  #robbed(stay: Stay): void {
    this.#stopLeading(stay);
    stay.queue = new AbortController();
    void this.#seek(stay, { signal: stay.queue.signal });
    this.#endLines();
    stay.group.postMessage({ who: true } satisfies Notice);
    this.#watchLeader();
  }

  /** The leader is silent. Of the tabs that find it so one takes its lock, or they would rob each other. */
  #steal(): void {
    const stay = this.#stay;
    if (!stay || stay.lead) return;
    const { leader } = stay;
    const chosen = (lock: Lock | null) => {
      if (!lock || this.#stay !== stay || stay.leader !== leader) return;
      stay.queue.abort();
      stay.queue = new AbortController();
      return this.#seek(stay, { steal: true });
    };
    this.#page.locks.request(`${this.#name}?`, { ifAvailable: true }, chosen).catch(() => {});
  }

  #notice(stay: Stay, notice: Notice): void {
    const { lead } = stay;
    if ("lead" in notice) {
      // Of two that say so the one without the lock hears it from its lock.
      if (!lead) this.#followLeader(stay, notice.lead);
    } else if (!lead) {
      return;
    } else if ("who" in notice) {
      stay.group.postMessage({ lead: stay.id } satisfies Notice);
    } else if (notice.to === undefined || notice.to === stay.id) {
      this.#takeIn(stay.id, lead, notice.join, notice.eager);
    }
  }

  #followLeader(stay: Stay, leader: string): void {
    this.#watch.heard();
    if (leader !== stay.leader) {
      stay.leader = leader;
      stay.isWelcome = false;
      this.#endLines();
    }
    if (!stay.isWelcome) this.#join(stay);
  }

  /** Asks the leader for its welcome. */
  #join(stay: Stay): void {
    if (!stay.isHeld || stay.lead) return;
    stay.group.postMessage({ join: stay.id, to: stay.leader, eager: this.#isShown } satisfies Notice);
  }

  /** The leading tab takes another in, until that is gone. */
  #takeIn(from: string, { leader, peers, end }: Lead, id: string, isEager: boolean): void {
    const known = peers.get(id);
    if (known) return leader.welcome(known);
    const channel = new this.#page.BroadcastChannel(`${this.#name}:${id}`);
    const peer = leader.join(false, isEager, (message) => channel.postMessage({ ...message, from }));
    peers.set(id, peer);
    channel.onmessage = ({ data }: MessageEvent<Up & { to: string }>) => {
      if (data.to === from) leader.receive(peer, data);
    };
    const gone = () => {
      peers.delete(id);
      leader.leave(peer);
      channel.close();
    };
    this.#page.locks.request(`${this.#name}:${id}`, { signal: end.signal }, gone).catch(gone);
  }

  /** Takes what the leader says. */
  #hear(stay: Stay, message: Down): void {
    this.#watch.heard();
    switch (message.op) {
      case "welcome":
        this.#client = message.client;
        if (stay.isWelcome) return;
        stay.isWelcome = true;
        this.#offer();
        return this.#nudge();
      case "opened":
        return this.#lines.get(message.line)?.onopen?.();
      case "text":
        return this.#take(message.line, message.text);
      case "closed":
        return this.#lineEnded(message.line, message.code, message.reason);
      case "back":
        return this.#nudge();
    }
  }

  #take(line: number, text: string): void {
    this.#taken += text.length;
    if (this.#taken >= TOOK_CHARS) {
      this.#tell({ op: "took", chars: this.#taken });
      this.#taken = 0;
    }
    // The first is the answer to the hello, at which the client sends what it has to send again.
    this.#spokeAs = this.#client;
    this.#lines.get(line)?.onmessage?.({ data: text });
  }

  #lineEnded(number: number, code: number, reason: string): void {
    const line = this.#lines.get(number);
    if (!line) return;
    this.#lines.delete(number);
    line.number = 0;
    line.onclose?.({ code, reason });
  }

  /** Whoever led is gone: the lines there are over, and their client comes back. */
  #endLines(): void {
    this.#taken = 0;
    for (const [number, { isAsked }] of [...this.#lines]) if (isAsked) this.#lineEnded(number, COME_BACK, "");
    this.#offer();
  }

  /** Asks for the lines that the leader does not know of. */
  #offer(): void {
    if (!this.#stay?.isWelcome) return;
    for (const line of this.#lines.values()) {
      if (line.isAsked) continue;
      line.isAsked = true;
      line.isOther = this.#spokeAs !== undefined && this.#spokeAs !== this.#client;
      this.#tell({ op: "open", line: line.number });
    }
  }

  #tell(message: Up): void {
    const stay = this.#stay;
    if (!stay?.isWelcome) return;
    if (stay.lead) stay.lead.leader.receive(stay.lead.own, message);
    else stay.own.postMessage({ ...message, to: stay.leader });
  }

  /** The client may wait for its next try: now is a good time, or in a moment. */
  #nudge(): void {
    const connection = this.#connection;
    const tries = () => {
      if (connection?.getSnapshot().state === "waiting") connection.retry();
      return connection?.getSnapshot().state === "waiting";
    };
    if (tries()) setTimeout(tries, SPACING_MS);
  }

  get #isShown(): boolean {
    return this.#page.document?.visibilityState !== "hidden";
  }

  #shown(): void {
    // A page that is shown does not sleep, whatever it was told.
    if (this.#isShown) this.#enter();
    this.#tell({ op: "eager", eager: this.#isShown });
    this.#watchLeader();
  }

  #watchLeader(): void {
    this.#watch.set(this.#stay !== undefined && !this.#stay.lead && this.#isShown);
  }

  #ask(): void {
    const stay = this.#stay;
    if (stay?.isWelcome) this.#tell({ op: "ask" });
    else if (stay) this.#join(stay);
  }
}

/** 128 random bits as 32 hex digits. */
const randomId = (): string => crypto.randomUUID().replaceAll("-", "");
