// The page: the entries, newest first, a form for another, and one to look for something.
//
// All that keeps the entries exact is in `items()`: the server's snapshot and each event after it, whatever becomes of the connection meanwhile.

import "./style.css";
import { type ConnectionState, connect, items, TidewireError } from "tidewire";
import { element } from "./entry";
import { guestbook } from "./guestbook.schema";
import { search } from "./search";

const [form, lookFor, list, connection, trouble] = ["#write", "#search", "#entries", "#connection", "#trouble"].map((selector) =>
  document.querySelector<HTMLElement>(selector),
) as [HTMLFormElement, HTMLFormElement, HTMLElement, HTMLElement, HTMLElement];
const guest = form.elements.namedItem("guest") as HTMLInputElement;
const text = form.elements.namedItem("text") as HTMLTextAreaElement;
const words = lookFor.elements.namedItem("words") as HTMLInputElement;

/** How many entries are shown. */
const SHOWN = 200;

const WORDS: Readonly<Record<ConnectionState["state"], string>> = {
  idle: "",
  connecting: "Opening the book…",
  connected: "Open",
  waiting: "Out of reach; trying again…",
  closed: "Closed",
};

/** Opens the book as this guest. */
function open(name: string) {
  const live = connect(guestbook, { url: "/ws", token: () => name });
  const book = live.subscribe("entries", { state: items({ keep: SHOWN }) });
  const tell = () => {
    const { state, reason } = live.connection.getSnapshot();
    connection.textContent = state === "closed" && reason ? reason : WORDS[state];
  };
  const draw = () => {
    const { value = [], pending } = book.state.getSnapshot();
    const shown = value.map((entry) => {
      const item = element(entry);
      item.toggleAttribute("data-pending", pending.includes(entry));
      return item;
    });
    list.replaceChildren(...shown.reverse());
  };
  live.connection.subscribe(tell);
  book.state.subscribe(draw);
  tell();

  return {
    /** Writes an entry, which is shown at once. */
    async write(text: string): Promise<void> {
      try {
        await book.publish({ text }, { echo: { id: 0, guest: name, text } });
      } catch (error) {
        const why = error instanceof TidewireError ? error.message : String(error);
        trouble.textContent = `“${text}”: ${why}`;
      }
    },

    search: (words: string) => search(live, words),

    close: () => live.close(),
  };
}

guest.value = localStorage.getItem("guest") ?? `Guest ${Math.floor(Math.random() * 9_000) + 1_000}`;
let book = open(guest.value);

guest.addEventListener("change", () => {
  if (!guest.checkValidity()) return;
  localStorage.setItem("guest", guest.value);
  book.close();
  book = open(guest.value);
  look();
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  trouble.textContent = "";
  void book.write(text.value);
  text.value = "";
});

/** In place of the entries the page shows what is found, while something is looked for. */
function look(): void {
  list.hidden = words.value.trim() !== "";
  void book.search(words.value);
}

words.addEventListener("input", look);
lookFor.addEventListener("submit", (event) => {
  event.preventDefault();
  look();
});
// A browser may have kept what was written there when the page was loaded again.
look();
