// The one error type of the client, and where errors go that nobody waits for.

import { ErrorCode } from "./codes.js";

function nameOf(code: number): string {
  return Object.entries(ErrorCode).find(([, other]) => other === code)?.[0] ?? "other";
}

/** What the client's own verdicts mean, for people. */
const texts: Readonly<Record<number, string>> = {
  [ErrorCode.not_sent]: "there is no connection: it was not sent",
  [ErrorCode.unknown]: "the connection ended before the answer came: it may have been done",
  [ErrorCode.closed]: "the client was closed",
  [ErrorCode.offline_queue_full]: "too many requests wait for a connection",
  [ErrorCode.cancelled]: "it was cancelled; it may have been done",
  [ErrorCode.timeout]: "the answer did not come in time; it may have been done",
};

/**
 * Why something was not done: a refusal of the server or a verdict of the client.
 *
 * `code` is one of {@link ErrorCode} or the application's own (1000 and up), `name` its name on the wire such as
 * `"forbidden"`, and `message` is for people.
 */
export class TidewireError extends Error {
  /** The number of the reason. Its range says whether to try again: 300–399 may work later. */
  readonly code: number;

  /** @param code one of {@link ErrorCode}, or the application's. */
  constructor(code: number, message?: string, options?: ErrorOptions & { name?: string }) {
    const name = options?.name ?? nameOf(code);
    super(message || texts[code] || name, options);
    this.name = name;
    this.code = code;
  }
}

/** The error that an error frame's data tells of. Of a frame that is none the code is no number, which no reader asks for. */
export function errorOf(data: unknown): TidewireError {
  const { code, name, message } = (data ?? {}) as { code: number; name: unknown; message: unknown };
  return new TidewireError(
    code,
    typeof message === "string" ? message : undefined,
    typeof name === "string" ? { name } : undefined,
  );
}

/** Takes an error that no caller waits for, such as one that a handler threw. */
export type ErrorSink = (error: unknown) => void;

/** The default {@link ErrorSink}: the page's error event where there is one, else the console. */
export const reportUncaught: ErrorSink = (error) => {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
};
