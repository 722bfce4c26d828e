// Random tabs: opened, closed, killed, frozen, hung; topics subscribed and left; sockets lost, servers that ask to move. However it went, in
// the end each tab has had each event of its topics once and in order, or was told of the gap, and one session stands.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { connect, type EventFrame, type Gap, items, type Live, type Schema, stream } from "../src/index.js";
import { share } from "../src/share.js";
import { entries } from "./fake.js";
import { ModelServer } from "./model-server.js";
import { FakeTab, World } from "./world.js";

interface Topics {
  "chat:{room}": { event: number; publish: number; snapshot: number[]; presence: number };
}
interface Calls {
  add: { args: number; reply: { echo: number } };
  count: { args: { to: number }; item: number };
}
const schema: Schema<Topics, Calls> = { name: "Test", entries };
const topics = ["chat:a", "chat:b", "chat:c"] as const;
type Topic = (typeof topics)[number];

/** A subscription of a tab, and what came of it. */
class Follower {
  readonly topic: Topic;
  readonly subscription;
  readonly heard: EventFrame[] = [];
  readonly gaps: Gap[] = [];

  constructor(live: Live<Topics, Calls>, topic: Topic, wish: number | undefined) {
    this.topic = topic;
    const onGap = (gap: Gap) => void this.gaps.push(gap);
    this.subscription = live.subscribe(topic, (_, frame) => void this.heard.push(frame), { onGap, presence: wish });
  }

  /** Since where it began, each event of the log once, but for what it was told of. */
  check(server: ModelServer, isLast: boolean): void {
    const first = this.heard[0];
    if (!first) return;
    const log = server.log(this.topic).filter(({ offset }) => offset >= first.offset);
    const isLost = (offset: number) => this.gaps.some(({ after, to }) => after < offset && offset <= to);
    const last = this.heard.at(-1)?.offset ?? 0;
    const due = log.filter(({ offset }) => (isLast || offset <= last) && !isLost(offset)).map(({ offset }) => offset);
    assert.deepEqual(this.heard.map(({ offset }) => offset).filter((offset) => !isLost(offset)), due);
    assert.deepEqual([...new Set(this.heard.map(({ offset }) => offset))].length, this.heard.length, "none twice");
    if (server.history === Infinity) assert.deepEqual(this.gaps, []);
  }
}

class Member {
  readonly tab: FakeTab;
  readonly live: Live<Topics, Calls>;
  readonly errors: unknown[] = [];
  readonly followers: Follower[] = [];
  readonly ended: Follower[] = [];
  readonly states: { readonly topic: Topic; readonly subscription: ReturnType<typeof stateOf> }[] = [];
  readonly outcomes: Promise<void>[] = [];
  isClosed = false;

  constructor(world: World, server: ModelServer) {
    this.tab = new FakeTab(world);
    const WebSocket = server.socketOf(this.tab);
    const onError = (error: unknown) => void this.errors.push(error);
    this.live = share(this.tab, connect, schema, { url: "wss://example.test/ws", WebSocket, onError }, "ann");
  }

  get isUp(): boolean {
    return !this.isClosed && !this.tab.isDead && !this.tab.isHung;
  }
}

const stateOf = (live: Live<Topics, Calls>, topic: Topic) => live.subscribe(topic, { state: items() });

/** One run. */
class Run {
  readonly world: World;
  readonly server: ModelServer;
  readonly members: Member[] = [];
  readonly frozen = new Set<Member>();
  readonly #faults: string[] = [];
  #sent = 0;

  constructor(seed: number) {
    this.world = new World(seed);
    this.server = new ModelServer(this.world);
    if (this.world.below(3) === 0) this.server.history = 4;
  }

  #pick<Value>(values: readonly Value[]): Value | undefined {
    return values[this.world.below(values.length)];
  }

  async step(): Promise<void> {
    const { world, server } = this;
    const up = this.members.filter(({ isUp }) => isUp);
    const member = this.#pick(up);
    const topic = this.#pick(topics) as Topic;
    switch (world.below(24)) {
      case 0:
      case 1:
        if (up.length < 6) {
          const opened = new Member(world, server);
          this.members.push(opened);
          await opened.tab.joined;
        }
        break;
      case 2:
        if (up.length > 1) member?.tab.kill();
        break;
      case 3:
        if (up.length > 1) await this.#sleep(member);
        break;
      case 4:
        if (up.length > 1 && member) {
          member.tab.hang();
          this.frozen.add(member);
        }
        break;
      case 5:
      case 6:
        this.wake(this.#pick([...this.frozen]));
        break;
      case 7:
        member?.tab.show(world.below(2) === 0);
        break;
      case 8:
        if (up.length > 1 && member) this.#close(member);
        break;
      case 9:
      case 10:
      case 11:
        member?.followers.push(new Follower(member.live, topic, world.below(3) === 0 ? world.below(3) : undefined));
        break;
      case 12:
        member?.states.push({ topic, subscription: stateOf(member.live, topic) });
        break;
      case 13:
        if (member) this.#endOne(member);
        break;
      case 14:
        this.#pick(server.open)?.drop(this.#pick([1006, 1001, 4000, 4001]));
        break;
      case 15:
        this.#pick(server.open)?.drain(5_000);
        break;
      case 16:
        if (member) this.#call(member);
        break;
      case 19:
        if (member) this.#count(member);
        break;
      case 17:
      case 18:
        if (member) this.#publish(member, topic);
        break;
      default:
        server.publish(topic, ++this.#sent);
    }
    for (let moves = world.below(12); moves > 0; moves--) await world.step();
    if (world.below(4) === 0) mock.timers.tick(world.below(700));
  }

  async #sleep(member: Member | undefined): Promise<void> {
    if (!member) return;
    await member.tab.freeze();
    this.frozen.add(member);
  }

  wake(member: Member | undefined): void {
    if (!member) return;
    this.frozen.delete(member);
    member.tab.resume();
  }

  #close(member: Member): void {
    member.isClosed = true;
    member.live.close();
  }

  #endOne({ followers, ended }: Member): void {
    const [follower] = followers.splice(0, 1);
    if (!follower) return;
    follower.subscription.close();
    ended.push(follower);
  }

  /** A publish is in the log once, or not at all where it was rejected. */
  #publish(member: Member, topic: Topic): void {
    const number = ++this.#sent;
    const outcome = member.live.publish(topic, number).then(
      () => 1,
      () => 0,
    );
    member.outcomes.push(
      outcome.then((least) => {
        const found = this.server.log(topic).filter(({ data }) => data === number).length;
        if (found < least || found > 1) this.#faults.push(`publish ${number} is there ${found} times`);
      }),
    );
  }

  #call(member: Member): void {
    const number = ++this.#sent;
    const check = ({ echo }: { echo: number }) => void (echo !== number && this.#faults.push(`${number} came back as ${echo}`));
    const refused = ({ name }: { name: string }) => {
      if (!["unknown", "timeout", "closed", "not_sent"].includes(name)) this.#faults.push(`call ${number}: ${name}`);
    };
    member.outcomes.push(member.live.call("add", number).then(check, refused));
  }

  /** A stream has every item once and in order, up to its end, to where it is left, or to an error that says why it went no further. */
  #count({ live, outcomes }: Member): void {
    const to = this.world.below(12);
    const leave = this.world.below(3) === 0 ? this.world.below(to + 1) : Infinity;
    const heard: number[] = [];
    const read = async () => {
      for await (const item of stream(live, "count", { to }, { buffer: 1 + this.world.below(4) })) {
        heard.push(item);
        if (item >= leave) break;
      }
      if (heard.length < Math.min(to, leave)) this.#faults.push(`a stream to ${to} ended at ${heard.length}`);
    };
    const check = () => {
      if (heard.some((item, index) => item !== index + 1)) this.#faults.push(`a stream was ${heard}`);
    };
    const refused = ({ name }: { name: string }) => {
      if (!["unknown", "closed", "not_sent"].includes(name)) this.#faults.push(`a stream: ${name}`);
    };
    outcomes.push(read().catch(refused).then(check));
  }

  async finish(): Promise<void> {
    for (const member of [...this.frozen]) this.wake(member);
    const left = this.members.filter(({ isUp }) => isUp);
    for (const { tab } of left) tab.show(true);
    await this.world.pass(25_000);
    // Whoever is up to date gets what comes now.
    for (const topic of topics) this.server.publish(topic, ++this.#sent);
    await this.world.pass(5_000);
    if (left.length > 0) assert.equal(this.server.open.length, 1, "one session stands");
    for (const member of this.members) this.#check(member);
    for (const { outcomes } of left) await Promise.all(outcomes);
    assert.deepEqual(this.#faults, []);
  }

  #check(member: Member): void {
    const { followers, ended, states, errors, live } = member;
    for (const follower of ended) follower.check(this.server, false);
    for (const follower of followers) follower.check(this.server, member.isUp);
    if (!member.isUp) return;
    assert.equal(live.connection.getSnapshot().state, "connected");
    assert.deepEqual(errors, []);
    for (const follower of followers) assert.equal(follower.heard.at(-1)?.offset, this.server.log(follower.topic).at(-1)?.offset);
    for (const { topic, subscription } of states) {
      const all = this.server.log(topic).map(({ data }) => data);
      const value = subscription.state.getSnapshot().value ?? [];
      assert(value.length > 0);
      assert.deepEqual(value, all.slice(-value.length));
      if (this.server.history === Infinity) assert.equal(value.length, all.length);
    }
  }

  end(): void {
    for (const { live } of this.members) live.close();
  }
}

const runs = process.env.TIDEWIRE_LONG ? 2_000 : 60;
const only = process.env.SEED;

test(`tabs come and go in ${runs} ways, and each gets each event of its topics once`, async () => {
  const seeds = only ? [Number(only)] : Array.from({ length: runs }, (_, index) => index + 1);
  for (const seed of seeds) {
    mock.timers.reset();
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
    const run = new Run(seed);
    mock.method(Math, "random", run.world.random);
    try {
      for (let step = 0; step < 150; step++) await run.step();
      await run.finish();
    } catch (error) {
      throw new Error(`SEED=${seed} shows it again: ${(error as Error).stack}`);
    } finally {
      run.end();
      mock.restoreAll();
    }
  }
});
