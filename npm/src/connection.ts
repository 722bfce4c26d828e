// What a page calls: names are checked here, where they enter; everything else is the driver's.

import { ErrorCode } from "./codes.js";
import type { ConnectionState } from "./connection-state.js";
import { dispose } from "./dispose.js";
import type { Driver } from "./driver.js";
import { TidewireError } from "./errors.js";
import type { Live, MessageHandler } from "./live.js";
import { Member } from "./member.js";
import { isName } from "./names.js";
import type { Store } from "./store.js";
import type { EventHandler, EventStream, Position, SubscribeOptions } from "./subscription.js";

/** A {@link Live} without its types: those are the caller's to check. */
export class Connection implements Live<Record<string, { event: unknown; publish: unknown }>> {
  readonly connection: Store<ConnectionState>;
  readonly #driver: Driver;

  constructor(driver: Driver) {
    this.#driver = driver;
    this.connection = driver.connection;
  }

  subscribe(
    topic: string,
    handlerOrOptions?: EventHandler<unknown> | SubscribeOptions,
    options?: SubscribeOptions,
  ): EventStream<unknown, unknown> {
    checkName(topic);
    const [handler, chosen] =
      typeof handlerOrOptions === "function" ? [handlerOrOptions, options] : [undefined, handlerOrOptions];
    const member = new Member(this.#driver, topic, handler, chosen);
    this.#driver.join(member);
    return member;
  }

  async publish(topic: string, data: unknown): Promise<Position> {
    checkName(topic);
    return this.#driver.publish(topic, data);
  }

  on(topic: string, handler: MessageHandler): () => void {
    checkName(topic);
    return this.#driver.topics.on(topic, handler);
  }

  async send(topic: string, data: unknown): Promise<void> {
    await this.publish(topic, data);
  }

  close(): void {
    this.#driver.close();
  }

  [dispose](): void {
    this.close();
  }
}

function checkName(topic: string): void {
  if (isName(topic)) return;
  const text = `${JSON.stringify(topic)} is no name of a topic: 1 to 255 bytes, no control characters, no $ at its beginning`;
  throw new TidewireError(ErrorCode.invalid_topic, text);
}
