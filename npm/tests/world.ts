// A browser's tabs without a browser: Web Locks, BroadcastChannel, visibility and freezing, and a server on the other side. What is
// sent waits in a pipe, in order; which pipe moves next is chance, from a seed.

import { mock } from "node:test";
import type { Page } from "../src/tab.js";
import { settle } from "./fake.js";

/** A tab, as the browser has it. */
export class FakeTab implements Page {
  readonly locks: LockManager;
  readonly BroadcastChannel: Page["BroadcastChannel"];
  readonly document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  readonly window = new EventTarget();
  /** Nothing reaches it and nothing leaves it until it goes on. */
  isHung = false;
  isDead = false;
  /** Resolves once it has asked for a lock, so that it takes part. */
  readonly joined: Promise<void>;
  readonly world: World;
  readonly #held: (() => void)[] = [];

  constructor(world: World) {
    this.world = world;
    let join = () => {};
    this.joined = new Promise((resolve) => (join = resolve));
    this.locks = {
      request: (name: string, options: LockOptions, granted: LockGrantedCallback<unknown>) => {
        join();
        return world.locks.request(this, name, options, granted);
      },
      query: async () => world.locks.query(),
    } as LockManager;
    const tab = this;
    this.BroadcastChannel = class extends FakeChannel {
      constructor(name: string) {
        super(tab, name);
      }
    } as unknown as Page["BroadcastChannel"];
  }

  /** What leaves a tab that hangs leaves it when it goes on. */
  act(action: () => void): void {
    if (this.isDead) return;
    if (this.isHung) this.#held.push(action);
    else action();
  }

  show(isShown: boolean): void {
    this.document.visibilityState = isShown ? "visible" : "hidden";
    this.document.dispatchEvent(new Event("visibilitychange"));
  }

  /** Its thread is busy, or in a debugger. */
  hang(): void {
    this.isHung = true;
  }

  goOn(): void {
    this.isHung = false;
    for (const action of this.#held.splice(0)) this.act(action);
  }

  /** The browser freezes it, and says so first. */
  async freeze(): Promise<void> {
    this.show(false);
    this.document.dispatchEvent(new Event("freeze"));
    await settle();
    this.hang();
  }

  resume(): void {
    this.goOn();
    this.document.dispatchEvent(new Event("resume"));
    this.show(true);
  }

  /** Its process ends, without a word. */
  kill(): void {
    this.isDead = true;
    this.world.forget(this);
  }
}

class FakeChannel {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  readonly name: string;
  readonly tab: FakeTab;

  constructor(tab: FakeTab, name: string) {
    this.tab = tab;
    this.name = name;
    tab.world.channels.add(this);
  }

  postMessage(message: unknown): void {
    // The timers of a dead tab are still those of this process.
    if (this.tab.isDead) return;
    if (!this.tab.world.channels.has(this)) throw new DOMException("closed", "InvalidStateError");
    const data = structuredClone(message);
    this.tab.act(() => {
      for (const other of this.tab.world.channels) {
        if (other === this || other.name !== this.name) continue;
        this.tab.world.send(`${this.name} ${this.tab.world.numberOf(other)}`, other.tab, () => {
          if (this.tab.world.channels.has(other)) other.onmessage?.({ data });
        });
      }
    });
  }

  close(): void {
    this.tab.world.channels.delete(this);
  }
}

interface LockRequest {
  readonly tab: FakeTab;
  readonly name: string;
  readonly mode: LockMode;
  readonly grant: () => void;
  readonly reject: (error: unknown) => void;
}

/** https://w3c.github.io/web-locks/: what is granted is decided at once, and heard of later. */
class FakeLocks {
  #held: LockRequest[] = [];
  #queue: LockRequest[] = [];

  request(tab: FakeTab, name: string, options: LockOptions, granted: LockGrantedCallback<unknown>): Promise<unknown> {
    const { mode = "exclusive", steal = false, ifAvailable = false, signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const hear = (run: () => void) => tab.world.send(`locks ${tab.world.numberOf(tab)}`, tab, run);
      const grant = () =>
        hear(() => {
          // As the standard has it: a signal counts until the lock is granted to the page.
          signal?.removeEventListener("abort", abort);
          if (signal?.aborted) {
            this.#release(request);
            return reject(signal.reason);
          }
          const done = () => tab.act(() => this.#release(request));
          Promise.resolve(granted({ name, mode })).then(
            (value) => {
              done();
              resolve(value);
            },
            (error: unknown) => {
              done();
              reject(error);
            },
          );
        });
      const request: LockRequest = { tab, name, mode, grant, reject: (error) => hear(() => reject(error)) };
      const abort = () => {
        const at = this.#queue.indexOf(request);
        if (at < 0) return;
        this.#queue.splice(at, 1);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort);
      tab.act(() => {
        if (ifAvailable && [...this.#held, ...this.#queue].some((other) => other.name === name)) {
          return hear(() => Promise.resolve(granted(null)).then(resolve, reject));
        }
        if (steal) {
          for (const holder of this.#held.filter((other) => other.name === name)) {
            this.#held.splice(this.#held.indexOf(holder), 1);
            holder.reject(new DOMException("stolen", "AbortError"));
          }
          this.#queue.unshift(request);
        } else {
          this.#queue.push(request);
        }
        this.#process();
      });
    });
  }

  query(): LockManagerSnapshot {
    const info = ({ name, mode }: LockRequest): LockInfo => ({ name, mode });
    return { held: this.#held.map(info), pending: this.#queue.map(info) };
  }

  forget(tab: FakeTab): void {
    this.#held = this.#held.filter((request) => request.tab !== tab);
    this.#queue = this.#queue.filter((request) => request.tab !== tab);
    this.#process();
  }

  #release(request: LockRequest): void {
    const at = this.#held.indexOf(request);
    if (at >= 0) this.#held.splice(at, 1);
    this.#process();
  }

  #process(): void {
    const blocked = new Set<string>();
    for (const request of [...this.#queue]) {
      const { name, mode } = request;
      const holders = this.#held.filter((other) => other.name === name);
      const isFree = holders.length === 0 || (mode === "shared" && holders.every((other) => other.mode === "shared"));
      if (blocked.has(name) || !isFree) {
        blocked.add(name);
        continue;
      }
      this.#queue.splice(this.#queue.indexOf(request), 1);
      this.#held.push(request);
      request.grant();
    }
  }
}

/** All tabs of a browser. */
export class World {
  readonly random: () => number;
  readonly locks = new FakeLocks();
  readonly channels = new Set<FakeChannel>();
  readonly #pipes = new Map<string, { readonly tab: FakeTab | undefined; readonly run: () => void }[]>();
  readonly #numbers = new Map<unknown, number>();

  constructor(seed: number) {
    this.random = randomFrom(seed);
  }

  /** A number from 0 to below `most`. */
  below(most: number): number {
    return Math.floor(this.random() * most);
  }

  numberOf(thing: unknown): number {
    let number = this.#numbers.get(thing);
    if (number === undefined) this.#numbers.set(thing, (number = this.#numbers.size));
    return number;
  }

  /** Puts something into a pipe, to reach a tab, or what is no tab. */
  send(pipe: string, tab: FakeTab | undefined, run: () => void): void {
    const waiting = this.#pipes.get(pipe);
    if (waiting) waiting.push({ tab, run });
    else this.#pipes.set(pipe, [{ tab, run }]);
  }

  forget(tab: FakeTab): void {
    for (const channel of this.channels) if (channel.tab === tab) this.channels.delete(channel);
    this.locks.forget(tab);
  }

  /** Moves one pipe; whether there was one to move. */
  async step(): Promise<boolean> {
    const ready = [...this.#pipes].filter(([, [first]]) => !first?.tab?.isHung);
    const chosen = ready[this.below(ready.length)];
    if (!chosen) return false;
    const [name, waiting] = chosen;
    const { tab, run } = waiting.shift() as (typeof waiting)[number];
    if (waiting.length === 0) this.#pipes.delete(name);
    if (!tab?.isDead) run();
    await settle();
    return true;
  }

  /** Until nothing moves. */
  async rest(): Promise<void> {
    await settle();
    while (await this.step());
  }

  /** Lets so much time pass, in which all that moves comes to rest. */
  async pass(ms: number): Promise<void> {
    await this.rest();
    for (let passed = 0; passed < ms; passed += 50) {
      mock.timers.tick(50);
      await this.rest();
    }
  }
}

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
