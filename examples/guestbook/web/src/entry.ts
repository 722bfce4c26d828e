// An entry as the page shows it.

import type { Entry } from "./guestbook.schema";

/** An entry, with the words marked that it was found by. */
export function element({ guest, text }: Entry, words: readonly string[] = []): HTMLElement {
  const item = document.createElement("li");
  const name = document.createElement("b");
  name.append(...marked(guest, words));
  item.append(name, ...marked(text, words));
  return item;
}

/** A text in pieces, those which are one of the words as marks. */
function marked(text: string, words: readonly string[]): (string | HTMLElement)[] {
  if (words.length === 0) return [text];
  const any = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|");
  // What the parentheses caught stands at every second place.
  return text.split(new RegExp(`(${any})`, "iu")).map((piece, index) => {
    if (index % 2 === 0) return piece;
    const mark = document.createElement("mark");
    mark.textContent = piece;
    return mark;
  });
}
