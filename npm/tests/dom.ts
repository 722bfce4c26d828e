// A document for the tests of frameworks, whose frames are the test's. Imported before the framework.

import { Window } from "happy-dom";
import { settle } from "./fake.js";

const window = new Window({ url: "http://app.test/" });
const { document } = window;
const frames = new Map<number, () => void>();
let last = 0;

const page = {
  window,
  document,
  ...Object.fromEntries(
    ["navigator", "Node", "Element", "HTMLElement", "HTMLIFrameElement", "HTMLMediaElement", "HTMLInputElement", "SVGElement", "Text", "Comment", "DocumentFragment", "ShadowRoot"].map(
      (name) => [name, (window as unknown as Record<string, unknown>)[name]],
    ),
  ),
  requestAnimationFrame: (run: () => void) => (frames.set(++last, run), last),
  cancelAnimationFrame: (frame: number) => frames.delete(frame),
};
// Some of them Node has, to be read only.
for (const [name, value] of Object.entries(page)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });

/** An element in the document. */
export function container(): HTMLElement {
  return document.body.appendChild(document.createElement("div")) as unknown as HTMLElement;
}

/** Paints one frame after what is ready to run, and lets follow what follows. */
export async function frame(): Promise<void> {
  await settle();
  for (const [number, run] of [...frames]) {
    frames.delete(number);
    run();
  }
  // What a framework does in tasks of its own, in which it may begin others.
  for (let turn = 0; turn < 10; turn++) await settle();
}
