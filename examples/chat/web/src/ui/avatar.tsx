// A person as a colour and a letter. The same name looks the same on every page.

import type { CSSProperties } from "react";

/** Hues that are told apart at a glance. */
const HUES = [12, 42, 72, 135, 232, 256, 282, 310, 345];

/** The hue of a name, for an element of the class `person`. */
export function hueOf(name: string): CSSProperties {
  let hash = 0;
  for (const char of name) hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  return { "--hue": HUES[hash % HUES.length] } as CSSProperties;
}

export function Avatar({ name }: { name: string }) {
  const [initial = "?"] = new Intl.Segmenter().segment(name)[Symbol.iterator]().next().value?.segment ?? "?";
  return (
    <span className="avatar person" style={hueOf(name)} aria-hidden="true">
      {initial.toLocaleUpperCase()}
    </span>
  );
}
