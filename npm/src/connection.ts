// What a page calls: names are checked here, where they enter; everything else is the driver's.

import { ErrorCode } from "./codes.js";
import { dispose } from "./dispose.js";
import type { Driver } from "./driver.js";
import { TidewireError } from "./errors.js";
import type { HistoryOptions } from "./history.js";
import type { MessageHandler } from "./live.js";
import { Member, type MemberOptions } from "./member.js";
import { isName, isTopic } from "./names.js";
import type { EventHandler, PublishOptions, RequestOptions } from "./subscription.js";

/** A {@link Live} without its types: those are the caller's to check. Its driver is for what stands apart, such as `stream`. */
export function connection(driver: Driver) {
  const { getSnapshot, subscribe } = driver.connection;
  const close = () => driver.close();
  return {
    driver,
    connection: { getSnapshot, subscribe, retry: () => driver.retry() },

    subscribe(topic: string, handlerOrOptions?: EventHandler<unknown> | MemberOptions, options?: MemberOptions): Member {
      const [handler, chosen] =
        typeof handlerOrOptions === "function" ? [handlerOrOptions, options] : [undefined, handlerOrOptions];
      const member = new Member(driver, checked(topic, isTopic), handler, chosen);
      driver.enter(member);
      if (chosen?.signal?.aborted) member.close();
      return member;
    },

    // Asynchronous, so that a name which is none rejects.
    publish: async (topic: string, data: unknown, options?: PublishOptions) => driver.publish(checked(topic), data, options),
    send: async (topic: string, data: unknown, options?: PublishOptions) => driver.send(checked(topic), data, options),
    history: async (topic: string, options?: HistoryOptions) => driver.history(checked(topic, isTopic), options),
    call: (call: string, args: unknown, options?: RequestOptions) => driver.call(call, args, options),

    on: (topic: string, handler: MessageHandler) => driver.topics.on(checked(topic, isTopic), handler),

    close,
    [dispose]: close,
  };
}

function checked(topic: string, is = isName): string {
  if (is(topic)) return topic;
  const text = `${JSON.stringify(topic)} is no name of a topic: 1 to 255 bytes, no control characters, no $ at its beginning`;
  throw new TidewireError(ErrorCode.invalid_topic, text);
}
