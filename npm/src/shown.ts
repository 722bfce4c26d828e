// What a component shows of something live: opened while somebody watches, and changed at most once a frame.

import { reportUncaught } from "./errors.js";
import type { Store } from "./store.js";

/** Something live that is open. */
export interface Opened<Value> {
  /** Its present value. */
  read(): Value;
  /** Whether it will not change any more. */
  isOver(): boolean;
  close(): void;
}

/**
 * It stays open for as long after the last watcher left: React's StrictMode mounts everything twice, and the next page of a
 * router may show the same.
 */
const GRACE_MS = 500;

/** Where no frames are painted, as in a page that is not visible, it changes this often at most. */
const HIDDEN_MS = 250;
/** The same where there is no screen at all. */
const FRAME_MS = 16;

/** A store of what `open` gives, which is told what to call when it has changed. Until it is opened it is `initial`. */
export function shown<Value>(initial: Value, open: (changed: () => void) => Opened<Value>): Store<Value> {
  let value = initial;
  let opened: Opened<Value> | undefined;
  let leaving: ReturnType<typeof setTimeout> | undefined;
  const listeners = new Set<() => void>();
  const frames = eachFrame(() => {
    if (opened) value = opened.read();
    for (const listener of [...listeners]) {
      try {
        listener();
      } catch (error) {
        reportUncaught(error);
      }
    }
  });
  const close = () => {
    frames.stop();
    opened?.close();
    opened = undefined;
  };
  return {
    getSnapshot: () => value,
    subscribe(listener) {
      const call = () => listener();
      clearTimeout(leaving);
      listeners.add(call);
      if (opened?.isOver()) close();
      if (!opened) {
        value = initial;
        opened = open(frames.ask);
      }
      return () => {
        listeners.delete(call);
        if (listeners.size === 0) leaving = setTimeout(close, GRACE_MS);
      };
    },
  };
}

/** What runs before the next frame: all of it at once, so that a component which shows several stores renders once for them. */
let due: (() => void)[] = [];
let cancel = () => {};

/** Runs once before the next frame, however often it is asked to. */
function eachFrame(run: () => void): { ask(): void; stop(): void } {
  const stop = () => {
    due = due.filter((other) => other !== run);
    if (due.length === 0) cancel();
  };
  const ask = () => {
    if (due.includes(run)) return;
    due.push(run);
    if (due.length === 1) schedule();
  };
  return { ask, stop };
}

function schedule(): void {
  const go = () => {
    cancel();
    for (const run of due.splice(0)) run();
  };
  const { requestAnimationFrame, cancelAnimationFrame } = globalThis as Partial<typeof globalThis>;
  const frame = requestAnimationFrame?.(go);
  const timer = setTimeout(go, frame === undefined ? FRAME_MS : HIDDEN_MS);
  cancel = () => {
    clearTimeout(timer);
    if (frame !== undefined) cancelAnimationFrame?.(frame);
  };
}
