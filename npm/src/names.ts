// Names: the encoding of wire.md section 2, and the numbers by which the core knows topics and epochs.

import { ErrorCode } from "./codes.js";
import { TidewireError } from "./errors.js";

/** The names of the parameters in a pattern: `"room"` of `"chat:{room}:log"`. */
export type ParameterOf<Pattern extends string> = Pattern extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterOf<Rest>
  : never;

/** The type of every name that a pattern gives: `chat:${string}:log` of `"chat:{room}:log"`. */
export type NameOf<Pattern extends string> = Pattern extends `${infer Head}{${string}}${infer Rest}`
  ? `${Head}${string}${NameOf<Rest>}`
  : Pattern;

/**
 * The name of a topic, made from its pattern and one value for each parameter.
 *
 * A value is percent-encoded, so that text of a user can never add a segment and reach another topic.
 *
 * @example
 * topicName("chat:{room}", { room: "a b" }) // "chat:a%20b"
 *
 * @throws TidewireError `invalid_topic` if a value is missing, empty or no valid Unicode, or if the name has more than 255 bytes.
 */
export function topicName<const Pattern extends string>(
  pattern: Pattern,
  parameters: { readonly [Name in ParameterOf<Pattern>]: string | number },
): NameOf<Pattern> {
  const values = parameters as Readonly<Record<string, string | number>>;
  const name = pattern.replace(/\{([^}]*)\}/g, (_, parameter: string) => {
    const value = Object.hasOwn(values, parameter) ? String(values[parameter]) : "";
    if (!value) throw new TidewireError(ErrorCode.invalid_topic, `${pattern}: ${parameter} is missing or empty`);
    return encode(value, pattern);
  });
  if (!isName(name)) throw new TidewireError(ErrorCode.invalid_topic, `${pattern}: the name is too long`);
  return name as NameOf<Pattern>;
}

function encode(value: string, pattern: string): string {
  try {
    // encodeURIComponent leaves five characters as they are that a name may not contain.
    return encodeURIComponent(value).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  } catch (cause) {
    throw new TidewireError(ErrorCode.invalid_topic, `${pattern}: a lone surrogate is no text`, { cause });
  }
}

/** Whether a text may name a topic: 1 to 255 bytes of UTF-8 without control characters, not beginning with `$`. */
export function isName(text: string): boolean {
  if (!/^(?!\$)[^\p{Cc}\p{Cs}]{1,255}$/u.test(text)) return false;
  return text.length < 64 || new TextEncoder().encode(text).length < 256;
}

/** Whether a topic has this name: one that {@link isName} takes, or that of the members of such a topic. */
export const isTopic = (text: string): boolean => isName(text.replace(/^\$presence:/, ""));

/**
 * Gives texts small numbers, from 1, and uses freed ones again: the core sees these instead of text.
 * 0 stands for the empty text and for one without a number.
 *
 * @internal
 */
export class Names {
  #numbers = new Map([["", 0]]);
  #texts: (string | undefined)[] = [""];
  #free: number[] = [];

  /** The number of a text, which it gets now if it has none. */
  intern(text: string): number {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#free.pop() ?? this.#texts.length;
      this.#texts[number] = text;
      this.#numbers.set(text, number);
    }
    return number;
  }

  /** The number of a text, 0 if it has none. */
  numberOf(text: string): number {
    return this.#numbers.get(text) ?? 0;
  }

  /** The text of a number; empty for one that has none. */
  textOf(number: number): string {
    return this.#texts[number] ?? "";
  }

  /** Frees a number; one that is free already stays so. */
  release(number: number): void {
    const text = this.#texts[number];
    if (!text) return;
    this.#texts[number] = undefined;
    this.#numbers.delete(text);
    this.#free.push(number);
  }
}
