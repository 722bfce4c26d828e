// Who hears of what: the subscriptions by the core's number of their topic, and the handlers of untyped messages by name.

import type { ErrorSink } from "./errors.js";
import type { MessageHandler } from "./live.js";
import type { Member } from "./member.js";
import { Names } from "./names.js";
import type { EventFrame } from "./subscription.js";

/** An event or message as it came. */
export type DataFrame = EventFrame & { readonly data?: unknown };

/** All that waits for events and messages. Lists are replaced, never changed: who is called may come and go meanwhile. */
export class Topics {
  /** The numbers of the topics. */
  readonly names = new Names();
  readonly #members: (readonly Member[] | undefined)[] = [];
  readonly #handlers = new Map<string, readonly MessageHandler[]>();
  readonly #onError: ErrorSink;

  constructor(onError: ErrorSink) {
    this.#onError = onError;
  }

  /** Adds a subscription and gives its topic's number. */
  enter(member: Member): number {
    member.number = this.names.intern(member.topic);
    this.#members[member.number] = [...this.membersOf(member.number), member];
    return member.number;
  }

  leave(member: Member): void {
    this.#members[member.number] = this.membersOf(member.number).filter((other) => other !== member);
  }

  /** The subscriptions of a topic. */
  membersOf(topic: number): readonly Member[] {
    return this.#members[topic] ?? none;
  }

  /** The subscriptions of every topic. */
  everyone(): readonly Member[] {
    return this.#members.flatMap((members) => members ?? none);
  }

  /** The number is free: nobody subscribes. */
  release(topic: number): void {
    this.#members[topic] = undefined;
    this.names.release(topic);
  }

  /** Calls a handler for all that comes by a name, until the returned function is called. */
  on(name: string, handler: MessageHandler): () => void {
    // Wrapped, so that one function given twice is called twice.
    let wanted = true;
    const call: MessageHandler = (data) => {
      if (wanted) handler(data);
    };
    this.#handlers.set(name, [...(this.#handlers.get(name) ?? none), call]);
    return () => {
      wanted = false;
      const left = (this.#handlers.get(name) ?? none).filter((other) => other !== call);
      if (left.length > 0) this.#handlers.set(name, left);
      else this.#handlers.delete(name);
    };
  }

  /** Hands an event to subscriptions, and an event or message to the handlers of its name. */
  deliver(members: readonly Member[], frame: DataFrame): void {
    const data = frame.data ?? null;
    for (const member of members) member.deliver(data, frame);
    if (this.#handlers.size === 0) return;
    for (const handler of this.#handlers.get(frame.topic) ?? none) {
      try {
        handler(data);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}

const none: readonly never[] = [];
