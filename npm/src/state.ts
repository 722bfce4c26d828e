// The state of a topic: snapshot, recovery and events as one value.
//
// Apart from the rest: a page that keeps no state does not carry this.

import type { ErrorSink, TidewireError } from "./errors.js";
import type { Echo, Keeper, Keeping } from "./keeper.js";
import type { Home, Member } from "./member.js";
import { Cell, type Store } from "./store.js";
import type { EventFrame, Gap, Position, PublishOptions, SubscribeOptions, Subscription } from "./subscription.js";

/** The state of a topic at one moment. Immutable: every change makes a new one. */
export interface TopicState<State, Event = unknown> {
  /** The state, with the {@link pending} events; `undefined` until the server has sent its snapshot. */
  readonly value: State | undefined;
  /** Events that were published here with an echo and that the server has not yet sent back, in order. */
  readonly pending: readonly Event[];
  /** After a reconnect: whether everything missed came. `undefined` after the first subscribe. The value is whole either way. */
  readonly recovered: boolean | undefined;
  /** The last events that never came, if there were any. A snapshot has made up for them, unless there is an {@link error}. */
  readonly gap: Gap | undefined;
  /** Why the server gave no snapshot when it was asked last: the value then lacks what it would have had. */
  readonly error: TidewireError | undefined;
}

/** How a topic's state is kept: what {@link reduced} gives, for the option `state` of `subscribe`. */
export interface StateKind<Change, Snapshot, State> {
  /** Exists for the compiler only. */
  readonly [kind]: (change: Change, snapshot: Snapshot) => State;
}
declare const kind: unique symbol;

/** What {@link items} gives: kept as the list or the map of whatever topic it is given for. */
export interface ItemsKind {
  /** Exists for the compiler only. */
  readonly [list]: true;
}
declare const list: unique symbol;

/** Options of a subscription that keeps the topic's state. */
export interface StateOptions<Change, Snapshot, State> extends Omit<SubscribeOptions, "state"> {
  /** How it is kept: `items()` or `reduced(…)`. */
  readonly state: StateKind<Change, Snapshot, State> | ItemsKind;
}

/** Options of a publish to a topic whose state is kept. */
export interface EchoOptions<Event> extends PublishOptions {
  /**
   * What the event will be, as far as is known here: shown in the state at once, behind all others, replaced by the event when it
   * comes and taken away if the publish is rejected. Default: none.
   */
  readonly echo?: Event | undefined;
  /** The key under which the echo stands, where the topic has keys. */
  readonly key?: string | undefined;
}

/** A subscription that keeps the topic's state. */
export interface StateSubscription<State, Event = unknown, Publish = never, Past = Event> extends Subscription<Past, Publish> {
  /** The topic's state, to be read and watched. Stays readable when the subscription is closed. */
  readonly state: Store<TopicState<State, Event>>;
  /** Publishes to the topic; see {@link Live.publish}. */
  publish(data: Publish, options?: EchoOptions<Event>): Promise<Position>;
}

/** Options of {@link items}. */
export interface ItemsOptions {
  /** How many of the newest items of a list are kept. A keyed topic's map is as large as the server's. Default: 1,000. */
  readonly keep?: number | undefined;
}

/**
 * Keeps the events of a topic: as a list, the newest last; of a keyed topic as a map with the last event of each key.
 *
 * @example
 * const room = live.subscribe("chat:general", { state: items() });
 * room.state.subscribe(() => show(room.state.getSnapshot().value));
 */
export function items({ keep = 1_000 }: ItemsOptions = {}): ItemsKind {
  return keeping<Items>({
    start(snapshot) {
      if (Array.isArray(snapshot)) return snapshot.slice(-keep);
      return snapshot ? new Map(Object.entries(snapshot)) : [];
    },
    fold(items, changes) {
      // Of a topic without a snapshot only its first event tells.
      const isList = Array.isArray(items) && (items.length > 0 || changes[0]?.key === undefined);
      if (isList) return [...items, ...changes.map(({ event }) => event)].slice(-keep);
      const map = new Map(items as ReadonlyMap<string, unknown>);
      for (const { event, key, removed } of changes) {
        if (removed) map.delete(key as string);
        else if (key !== undefined) map.set(key, event);
      }
      return map;
    },
    conflates: true,
  }) as unknown as ItemsKind;
}

type Items = readonly unknown[] | ReadonlyMap<string, unknown>;

/** Makes the next state of the last one and an event; `null` where a key is removed. It must not change what it is given. */
export type Reduce<State, Change> = (state: State, event: Change, change: ChangeFrame) => State;

/** What is known of an event beside its data. Of an echo it is the key alone. */
export type ChangeFrame = Partial<Pick<EventFrame, "offset" | "key" | "removed" | "mid">>;

/**
 * Keeps what a function makes of the snapshot and of each event after it.
 *
 * @param reduce makes the next state. What it throws goes to the connection's `onError`, and the event is left out.
 * @param start makes the state of a snapshot, which is `undefined` if the topic has none, and of the state before it, if there was one.
 * Default: the snapshot is the state.
 *
 * @example
 * const total = live.subscribe("orders", { state: reduced((sum, order) => sum + order.amount, (snapshot) => snapshot?.sum ?? 0) });
 */
export function reduced<Change, Snapshot>(reduce: Reduce<Snapshot, Change>): StateKind<Change, Snapshot, Snapshot>;
/** The same, with a state that `start` makes of the snapshot. */
export function reduced<State, Change, Snapshot>(
  reduce: Reduce<State, Change>,
  start: (snapshot: Snapshot | undefined, before: State | undefined) => State,
): StateKind<Change, Snapshot, State>;
export function reduced(
  reduce: Reduce<unknown, unknown>,
  start: (snapshot: unknown, before: unknown) => unknown = (snapshot) => snapshot,
): StateKind<unknown, unknown, unknown> {
  return keeping<unknown>({
    start,
    fold(state, changes, onError) {
      for (const { event, ...frame } of changes) {
        try {
          state = reduce(state, event, frame);
        } catch (error) {
          onError(error);
        }
      }
      return state;
    },
    conflates: false,
  });
}

/** An event on its way into the state. */
interface Change extends ChangeFrame {
  readonly event: unknown;
}

/** What a state is made of. Nothing changes what it is given. @internal */
export interface Making<State> {
  start(snapshot: unknown, before: State | undefined): State;
  fold(state: State, changes: readonly Change[], onError: ErrorSink): State;
  /** Whether the last event of each key is all that it needs. */
  readonly conflates: boolean;
}

/** An opaque {@link StateKind} for the subscription to call. @internal */
export const keeping = <State>(making: Making<State>): StateKind<unknown, unknown, never> => {
  const keep: Keeping = (member, home) => new StateKeeper(making, member, home);
  return keep as unknown as StateKind<unknown, unknown, never>;
};

/** So many events wait until somebody reads the state; then they become part of it. */
const MOST_WAITING = 256;

/** So many events are held back while a snapshot is on its way. */
const MOST_HELD = 1_024;

/** A snapshot that the server cannot give now is asked for again after this long, then twice as long, up to the second. */
const RETRY_MS = 1_000;
const MOST_RETRY_MS = 30_000;

/** An echo, and where its event is once the server has said so. */
interface Shown extends Echo {
  at?: Position;
}

/** An event that came while a snapshot is on its way. */
interface Held {
  readonly event: unknown;
  readonly frame: EventFrame;
}

/**
 * Keeps a state.
 *
 * Making it is the page's code, which must not run while the core is in use: what comes waits until the state is read.
 */
class StateKeeper<State> implements Keeper {
  readonly #making: Making<State>;
  readonly #member: Member;
  readonly #home: Home;
  readonly #listeners = new Cell(undefined);
  #isTelling = false;
  /** As of the last fold. */
  #value: State | undefined;
  /** Snapshots and events that are not yet in the value. */
  #waiting: ({ readonly snapshot: unknown } | Change)[] = [];
  /** Where events came from last. */
  #from: Position | undefined;
  /** How far the state has come with what waits; `undefined` before there was a snapshot. */
  #position: Position | undefined;
  #echoes: readonly Shown[] = [];
  /** Set while a snapshot is on its way: what it will not have is held back. */
  #asking: AbortController | undefined;
  #held: Held[] = [];
  /** The last snapshot that came beside the events had all up to here. */
  #covered = -1;
  /** The last event that was held back and is no more, for there were too many. */
  #missed = -1;
  /** Events are missing, and no snapshot has come or was asked for since. */
  #hasHole = false;
  /** Snapshots in a row that could not be had. */
  #failures = 0;
  #about: Pick<TopicState<State>, "recovered" | "gap" | "error"> = { recovered: undefined, gap: undefined, error: undefined };
  #snapshot: TopicState<State> | undefined;

  constructor(making: Making<State>, member: Member, home: Home) {
    this.#making = making;
    this.#member = member;
    this.#home = home;
  }

  readonly getSnapshot = (): TopicState<State> => {
    this.#snapshot ??= { value: this.#shown(), pending: this.#echoes.map(({ event }) => event), ...this.#about };
    return this.#snapshot;
  };

  readonly subscribe = (listener: () => void): (() => void) => this.#listeners.subscribe(listener);

  attach(position: Position, recovered: boolean | undefined, answer: unknown): boolean {
    const { snapshot, recovered: isWhole } = (answer ?? {}) as { snapshot?: unknown; recovered?: unknown };
    this.#from = position;
    this.#hasHole = false;
    // It is not said where another subscription of the topic has begun.
    if (recovered !== undefined) this.#tell({ recovered });
    // Of another epoch, or older than any snapshot that comes.
    if (recovered === false) {
      this.#held = [];
      this.#covered = this.#missed = -1;
    }
    if (answer && recovered !== true && isWhole !== true) {
      this.#reset(snapshot, position);
      return false;
    }
    if (recovered !== false && (this.#position || this.#asking)) return false;
    this.#ask();
    return true;
  }

  deliver(event: unknown, frame: EventFrame): void {
    if (!this.#asking) {
      // A snapshot may have been ahead of the events.
      if (frame.offset > this.#covered) this.#apply({ event, frame });
      return;
    }
    // Those that came before the server answered it has in its snapshot; where it has not, another is asked for.
    if (this.#held.length === MOST_HELD) this.#missed = (this.#held.shift() as Held).frame.offset;
    this.#held.push({ event, frame });
  }

  miss(gap: Gap): void {
    this.#tell({ gap });
    if (gap.cause === "conflated" && this.#making.conflates) return;
    this.#hasHole = true;
    // The answer of a subscribe, with a snapshot, may be what told of the hole.
    this.#home.notify([() => this.#hasHole && !this.#member.isClosed && this.#ask()]);
  }

  echo(echo: Echo, sent: Promise<Position>): void {
    const shown: Shown = { ...echo };
    this.#echoes = [...this.#echoes, shown];
    this.#tell();
    sent.then(
      (position) => {
        shown.at = position;
        this.#drop();
      },
      () => this.#drop(echo.mid),
    );
  }

  end(): void {
    this.#asking?.abort();
    this.#asking = undefined;
  }

  #shown(): State | undefined {
    this.#fold();
    if (!this.#position || this.#echoes.length === 0) return this.#value;
    const echoes = this.#echoes.map(({ event, key, mid }) => ({ event, mid, ...(key !== undefined && { key }) }));
    return this.#making.fold(this.#value as State, echoes, this.#home.report);
  }

  /** Makes what waits a part of the value. */
  #fold(): void {
    const { start, fold } = this.#making;
    const { report } = this.#home;
    let changes: Change[] = [];
    const take = () => {
      if (changes.length > 0) this.#value = fold(this.#value as State, changes, report);
      changes = [];
    };
    for (const next of this.#waiting.splice(0)) {
      if ("event" in next) {
        changes.push(next);
        continue;
      }
      take();
      try {
        this.#value = start(next.snapshot, this.#value);
      } catch (error) {
        report(error);
      }
    }
    take();
  }

  #apply({ event, frame }: Held): void {
    const { offset, key, removed, mid } = frame;
    this.#position = { epoch: this.#position?.epoch ?? "", offset };
    const rest = { ...(key !== undefined && { key }), ...(removed && { removed }), ...(mid !== undefined && { mid }) };
    this.#waiting.push({ event, offset, ...rest });
    if (this.#waiting.length === MOST_WAITING) this.#home.notify([() => this.#fold()]);
    this.#drop(mid);
    this.#tell();
  }

  #reset(snapshot: unknown, position: Position): void {
    this.end();
    this.#failures = 0;
    this.#position = position;
    this.#waiting.push({ snapshot });
    this.#drop();
    this.#tell({ error: undefined });
  }

  /** Asks for a snapshot, once the core is left. */
  #ask(): void {
    this.end();
    this.#hasHole = false;
    const asking = new AbortController();
    this.#asking = asking;
    this.#home.notify([() => this.#read(asking)]);
  }

  #read(asking: AbortController): void {
    if (this.#asking !== asking) return;
    const again = () => {
      const delay = Math.min(RETRY_MS * 2 ** this.#failures++, MOST_RETRY_MS);
      setTimeout(() => this.#read(asking), delay);
    };
    this.#member.ask(asking.signal).then(
      (answer) => {
        if (this.#asking !== asking) return;
        const { epoch, offset, snapshot } = (answer ?? {}) as Position & { snapshot?: unknown };
        // Made for somebody else, before events that the state has already; or of no place at all.
        const position = this.#position;
        if (!(offset >= this.#missed) || (position && position.epoch === epoch && offset < position.offset)) return again();
        this.#reset(snapshot, { epoch, offset });
        this.#covered = offset;
        this.#follow(offset);
      },
      (error: TidewireError) => {
        if (this.#asking !== asking) return;
        if (error.code >= 300 && error.code < 400) return again();
        // It goes on with what there is.
        this.end();
        if (!this.#position && this.#from) this.#reset(undefined, this.#from);
        this.#follow(-1);
        this.#tell({ error });
      },
    );
  }

  /** Events that were held back come after all, if they are later than this offset. */
  #follow(after: number): void {
    for (const held of this.#held.splice(0)) if (held.frame.offset > after) this.#apply(held);
  }

  /** Takes away the echoes whose publish is over: the one with this name, and those whose event the state has come to or past. */
  #drop(mid?: string): void {
    const position = this.#position;
    const isOver = ({ at, mid: name }: Shown) =>
      name === mid || (at && position && (at.epoch !== position.epoch || at.offset <= position.offset));
    const left = this.#echoes.filter((echo) => !isOver(echo));
    if (left.length === this.#echoes.length) return;
    this.#echoes = left;
    this.#tell();
  }

  /** Something has changed, of which listeners hear when the core is left. */
  #tell(about?: Partial<Pick<TopicState<State>, "recovered" | "gap" | "error">>): void {
    if (about) this.#about = { ...this.#about, ...about };
    this.#snapshot = undefined;
    if (this.#isTelling) return;
    this.#isTelling = true;
    this.#home.notify([() => (this.#isTelling = false), ...this.#listeners.put(undefined)]);
  }
}
