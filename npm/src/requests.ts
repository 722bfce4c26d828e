// What a page asks of the server.

/** One request on its way. It is kept whole until its outcome, for the core may have it sent again. */
export interface Request {
  readonly topic: string;
  /** The text of its data. */
  readonly json: string;
  /** Names a publish, so that the server appends it once however often it comes. */
  readonly mid: string | undefined;
  fulfil(answer: unknown): void;
  reject(error: unknown): void;
}
