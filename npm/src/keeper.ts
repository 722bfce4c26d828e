// Where the state of a topic meets its subscription. What keeps one is apart (state.ts), so that pages without it do not carry it.

import type { Home, Member } from "./member.js";
import type { Store } from "./store.js";
import type { EventFrame, Gap, Position } from "./subscription.js";

/** An event that is shown before the server has it. */
export interface Echo {
  readonly event: unknown;
  /** The key under which it stands, where the topic has keys. */
  readonly key: string | undefined;
  /** The name of its publish. */
  readonly mid: string;
}

/** Keeps a topic's state for one subscription. */
export interface Keeper extends Store<unknown> {
  /**
   * Events come from this position on, with the data of the answer if this subscription asked for it. Says whether it is going to
   * {@link Member.ask}.
   */
  attach(position: Position, recovered: boolean | undefined, answer: unknown): boolean;
  deliver(event: unknown, frame: EventFrame): void;
  miss(gap: Gap): void;
  /** Shows an event until its publish has an outcome. */
  echo(echo: Echo, sent: Promise<Position>): void;
  /** Nothing more comes. */
  end(): void;
}

/** Begins to keep the state of a subscription's topic. */
export type Keeping = (member: Member, home: Home) => Keeper;
