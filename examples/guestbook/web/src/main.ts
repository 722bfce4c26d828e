// The page: the entries, newest first, and a form for another.
//
// All that keeps it exact is in `items()`: the server's snapshot and each event after it, whatever becomes of the connection meanwhile.

import "./style.css";
import { type ConnectionState, connect, items, TidewireError } from "tidewire";
import { type Entry, guestbook } from "./guestbook.schema";

const [form, list, connection, trouble] = ["form", "#entries", "#connection", "#trouble"].map((selector) =>
  document.querySelector<HTMLElement>(selector),
) as [HTMLFormElement, HTMLElement, HTMLElement, HTMLElement];
const guest = form.elements.namedItem("guest") as HTMLInputElement;
const text = form.elements.namedItem("text") as HTMLTextAreaElement;

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
    list.replaceChildren(...value.map((entry) => item(entry, pending.includes(entry))).reverse());
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

    close: () => live.close(),
  };
}

function item({ guest, text }: Entry, isPending: boolean): HTMLElement {
  const item = document.createElement("li");
  const name = document.createElement("b");
  name.textContent = guest;
  item.append(name, text);
  item.toggleAttribute("data-pending", isPending);
  return item;
}

guest.value = localStorage.getItem("guest") ?? `Guest ${Math.floor(Math.random() * 9_000) + 1_000}`;
let book = open(guest.value);

guest.addEventListener("change", () => {
  if (!guest.checkValidity()) return;
  localStorage.setItem("guest", guest.value);
  book.close();
  book = open(guest.value);
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  trouble.textContent = "";
  void book.write(text.value);
  text.value = "";
});
