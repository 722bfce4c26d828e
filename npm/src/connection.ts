// What a page calls: names are checked here, where they enter; everything else is the driver's.

import { ErrorCode } from "./codes.js";
import type { ConnectionStore } from "./connection-state.js";
import { dispose } from "./dispose.js";
import type { Driver } from "./driver.js";
import { TidewireError } from "./errors.js";
import type { HistoryOptions } from "./history.js";
import type { MessageHandler } from "./live.js";
import { Member, type MemberOptions } from "./member.js";
import { isName, isTopic } from "./names.js";
import type { EventHandler, Position, PublishOptions, RequestOptions } from "./subscription.js";

/** A {@link Live} without its types: those are the caller's to check. */
export class Connection {
  readonly connection: ConnectionStore;
  readonly #driver: Driver;

  constructor(driver: Driver) {
    const { getSnapshot, subscribe } = driver.connection;
    this.#driver = driver;
    this.connection = { getSnapshot, subscribe, retry: () => driver.retry() };
  }

  subscribe(topic: string, handlerOrOptions?: EventHandler<unknown> | MemberOptions, options?: MemberOptions): Member {
    check(isTopic, topic);
    const [handler, chosen] =
      typeof handlerOrOptions === "function" ? [handlerOrOptions, options] : [undefined, handlerOrOptions];
    const member = new Member(this.#driver, topic, handler, chosen);
    this.#driver.join(member);
    return member;
  }

  async publish(topic: string, data: unknown, { signal }: PublishOptions = {}): Promise<Position> {
    check(isName, topic);
    return this.#driver.publish(topic, data, this.#driver.mid(), signal);
  }

  async history(topic: string, options?: HistoryOptions): Promise<unknown> {
    check(isTopic, topic);
    return this.#driver.history(topic, options);
  }

  call(call: string, args: unknown, options?: RequestOptions): Promise<unknown> {
    return this.#driver.call(call, args, options);
  }

  on(topic: string, handler: MessageHandler): () => void {
    check(isTopic, topic);
    return this.#driver.topics.on(topic, handler);
  }

  async send(topic: string, data: unknown, { signal }: PublishOptions = {}): Promise<void> {
    check(isName, topic);
    return this.#driver.send(topic, data, signal);
  }

  close(): void {
    this.#driver.close();
  }

  [dispose](): void {
    this.close();
  }
}

function check(is: (text: string) => boolean, topic: string): void {
  if (is(topic)) return;
  const text = `${JSON.stringify(topic)} is no name of a topic: 1 to 255 bytes, no control characters, no $ at its beginning`;
  throw new TidewireError(ErrorCode.invalid_topic, text);
}
