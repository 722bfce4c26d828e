// The page that the storms blow at: a guest who keeps the book as the example's page does, writes without pause, and remembers what came of it.
//
// A second connection follows the same topic without its state, so that a loss within an epoch is seen, and not mended by a snapshot.

import { connect, items, type Live, type Position, TidewireError } from "tidewire";
import { type Entry, guestbook, type GuestbookTopics } from "../../src/guestbook.schema.js";

/** What became of an entry: `pending`, `acknowledged`, or the name of the error. */
export interface Written {
  readonly text: string;
  outcome: string;
  position?: Position;
}

/** The events of the present epoch that were followed. */
export interface Followed {
  readonly epoch: string | undefined;
  readonly last: number | undefined;
  readonly texts: Readonly<Record<number, string>>;
}

/** The way from a sleep, or from being offline, to a live subscription. */
export interface Wake {
  readonly ms: number;
  /** From which event on, and when the connection had which state. */
  readonly way: string;
}

/** What the page has to say. */
export interface Report {
  readonly entries: readonly Entry[] | undefined;
  /** Echoes that the server has not sent back. */
  readonly echoes: number;
  readonly written: readonly Written[];
  readonly followed: Followed;
  /** The newest offset of the topic; `undefined` if the server did not say. */
  readonly head: number | undefined;
  /** What must not happen. */
  readonly faults: readonly string[];
  /** How long it took from each end of a sleep, or of being offline, until the book was live. */
  readonly wakes: readonly Wake[];
  /** Of how many wakes it is not known yet. */
  readonly watched: number;
  /** How often the page was frozen. */
  readonly sleeps: number;
  /** How often each connection was lost. */
  readonly losses: readonly number[];
  /** For people who look for the reason of a fault. */
  readonly about: string;
}

/** How long a page is watched that woke. */
const WATCHED_MS = 1_000;

const name = decodeURIComponent(location.hash.slice(1));
const faults: string[] = [];
const wakes: Wake[] = [];
const written: Written[] = [];
const losses = [0, 0];
let sleeps = 0;
let watched = 0;
let writing: ReturnType<typeof setInterval> | undefined;
let open = () => {};
let gate = Promise.resolve();

addEventListener("unhandledrejection", ({ reason }) => faults.push(`an unhandled rejection: ${reason}`));

/** A connection under this name, which says when it is lost. */
function join(guest: string, number: number): Live<GuestbookTopics> {
  const live = connect(guestbook, {
    url: "/ws",
    token: async () => {
      await gate;
      return guest;
    },
    onError: (error) => faults.push(`reported: ${error}`),
  });
  let before = "";
  live.connection.subscribe(() => {
    const { state, error } = live.connection.getSnapshot();
    if (before === "connected" && state !== before) losses[number] = (losses[number] ?? 0) + 1;
    if (state === "closed") faults.push(`the connection is given up: ${error}`);
    before = state;
  });
  return live;
}

const live = join(name, 0);
const book = live.subscribe("entries", { state: items({ keep: 1_000_000 }) });

let last: number | undefined;
let texts: Record<number, string> = {};
const following = join(`${name}'s other self`, 1);
const follower = following.subscribe(
  "entries",
  ({ text }, { offset }) => {
    last ??= follower.status.getSnapshot().position?.offset ?? 0;
    // The broker in memory leaves no offset out.
    if (offset !== last + 1) faults.push(`event ${offset} came after ${last}`);
    last = offset;
    texts[offset] = text;
  },
  {
    onGap: ({ after, to, cause }) => {
      if (cause !== "new_epoch") faults.push(`${after} to ${to} are missing: ${cause}`);
      last = to;
      texts = {};
    },
  },
);

/** Writes one entry. */
async function write(): Promise<void> {
  const text = `${name} ${written.length + 1}`;
  const entry: Written = { text, outcome: "pending" };
  written.push(entry);
  try {
    entry.position = await book.publish({ text }, { echo: { id: 0, guest: name, text } });
    entry.outcome = "acknowledged";
  } catch (error) {
    entry.outcome = error instanceof TidewireError ? error.name : String(error);
  }
}

/** Notes how long it takes until the book is live, and stays so for a moment: a connection may have died in the page's sleep. */
function woken({ type }: Event): void {
  const start = performance.now();
  const since = () => Math.round(performance.now() - start);
  const way = [type];
  const note = () => {
    const { state, code } = live.connection.getSnapshot();
    way.push(`${since()} ${state} ${code}`);
  };
  note();
  watched += 1;
  let alive = book.status.getSnapshot().state === "live" ? 0 : Infinity;
  const ends = [
    live.connection.subscribe(note),
    book.status.subscribe(() => {
      alive = book.status.getSnapshot().state === "live" ? since() : Infinity;
    }),
  ];
  setTimeout(() => {
    for (const end of ends) end();
    watched -= 1;
    wakes.push({ ms: alive, way: way.join(", ") });
  }, WATCHED_MS);
}

addEventListener("online", woken);
document.addEventListener("freeze", () => {
  sleeps += 1;
});
document.addEventListener("visibilitychange", (event) => {
  if (document.visibilityState === "visible") woken(event);
});

const guest = {
  /** Writes an entry every so often. */
  start(everyMs: number) {
    writing ??= setInterval(() => void write(), everyMs);
  },

  /** Writes no more, and waits for no reconnect. */
  rest() {
    clearInterval(writing);
    writing = undefined;
    live.connection.retry();
    following.connection.retry();
  },

  /** Gives no token until it is released. */
  holdToken() {
    gate = new Promise((resolve) => {
      open = resolve;
    });
  },

  releaseToken() {
    open();
  },

  async report(): Promise<Report> {
    const { value, pending } = book.state.getSnapshot();
    const position = follower.status.getSnapshot().position;
    const followed = { epoch: position?.epoch, last: last ?? position?.offset, texts };
    const head = await live.history("entries", { limit: 1, timeout: 2_000 }).then(
      (history) => history.head,
      () => undefined,
    );
    const about = JSON.stringify({
      connection: live.connection.getSnapshot(),
      subscription: book.status.getSnapshot(),
      state: { ...book.state.getSnapshot(), value: value?.length, pending: pending.length },
      follower: follower.status.getSnapshot(),
    });
    return { about, entries: value, echoes: pending.length, written, followed, head, faults, wakes, watched, sleeps, losses };
  },
};

declare global {
  interface Window {
    readonly guest: Guest;
  }
}

export type Guest = typeof guest;

Object.assign(window, { guest });
