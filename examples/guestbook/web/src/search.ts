// Looking through all of the book, of which the page has the newest entries only. What is found comes one by one, while the server reads
// on; and since it reads on only while there is room for more, a visitor who looks at twenty entries costs it no more than that.

import { ErrorCode, type Live, stream, TidewireError } from "tidewire";
import { element } from "./entry";
import type { GuestbookCalls, GuestbookTopics } from "./guestbook.schema";

/** How many are shown until the visitor asks for more. */
const AT_ONCE = 20;

const [view, told, list, button] = ["#found", "#found p", "#found ol", "#found button"].map((selector) =>
  document.querySelector<HTMLElement>(selector),
) as [HTMLElement, HTMLElement, HTMLElement, HTMLElement];

/** Ends the search that runs. */
let leave = new AbortController();

/** Shows what is found of some words, in place of what was looked for before; without words nothing. */
export async function search(live: Live<GuestbookTopics, GuestbookCalls>, text: string): Promise<void> {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const words = text.split(/\s+/).filter(Boolean);
  view.hidden = words.length === 0;
  list.replaceChildren();
  let found = 0;
  let before: number | null = null;
  const tell = (what: string) => {
    told.textContent = found > 0 ? `${found} found. ${what}` : what;
  };
  while (!view.hidden && !signal.aborted) {
    told.textContent = "Looking…";
    try {
      for await (const entry of stream(live, "search", { words: text, before }, { buffer: AT_ONCE, signal })) {
        // What came before it was given up is still read.
        if (signal.aborted) break;
        list.append(element(entry, words));
        before = entry.id;
        found += 1;
        if (found % AT_ONCE > 0) continue;
        // Meanwhile nothing is taken, and the server waits. Leaving the loop ends its search.
        tell("There may be more.");
        if (!(await pressed("Show more", signal))) break;
        told.textContent = "Looking…";
      }
      if (!signal.aborted) tell(found > 0 ? "That is all." : "Nothing was found.");
      return;
    } catch (error) {
      if (signal.aborted) return;
      tell(explain(error));
      if (!isLost(error)) return;
      // A stream is not begun again by itself; another one goes on behind what was found last.
      await pressed("Look on", signal);
    }
  }
}

/** Whether the visitor has pressed the button, which says so meanwhile; `false` if something else is looked for. */
function pressed(words: string, signal: AbortSignal): Promise<boolean> {
  button.textContent = words;
  button.hidden = false;
  return new Promise((resolve) => {
    const answer = () => {
      button.hidden = true;
      button.removeEventListener("click", answer);
      signal.removeEventListener("abort", answer);
      resolve(!signal.aborted);
    };
    button.addEventListener("click", answer);
    signal.addEventListener("abort", answer);
  });
}

/** Whether the search has ended with its connection. */
const isLost = (error: unknown): boolean =>
  error instanceof TidewireError && (error.code === ErrorCode.unknown || error.code === ErrorCode.not_sent);

function explain(error: unknown): string {
  if (isLost(error)) return "The connection was lost before all of the book was looked through.";
  return error instanceof TidewireError ? error.message : String(error);
}
