// Guests write without pause while their lines are cut and stalled, their pages sleep, their tokens end, nodes are replaced, and the server
// is killed: within an epoch nothing is lost or doubled, and across epochs every page is the table.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import type { Entry } from "../src/guestbook.schema.js";
import { Chance, pass, seed } from "./chance.js";
import { Chromium } from "./chromium.js";
import { Guest, type Trouble, troubles } from "./guest.js";
import { Nodes } from "./nodes.js";
import * as oracle from "./oracle.js";
import type { Report, Wake } from "./page/main.js";
import { makeSite, type Site } from "./site.js";

const KILLS = process.env.TIDEWIRE_LONG ? 50 : 5;

/** How long the air may take to be calm. */
const PATIENCE_MS = 20_000;

/** A page that wakes, or is online again, is live within this. */
const WAKES_WITHIN_MS = 1_000;

let browser: Chromium;
let site: Site;
let nodes: Nodes;
let guests: Guest[];

before(async () => {
  [browser, site] = await Promise.all([Chromium.start(), makeSite()]);
});
after(async () => {
  await browser?.close();
  await site?.remove();
});

beforeEach(async () => {
  nodes = await Nodes.start(site);
  guests = [];
  for (const name of ["Ann", "Ben", "Cy"]) guests.push(await Guest.open(browser, name, nodes.port));
});
afterEach(async () => {
  for (const guest of guests) await guest.close();
  await nodes.kill();
});

/** What there was when the air was calm. */
interface Calm {
  readonly table: readonly Entry[];
  readonly reports: readonly Report[];
}

/** Lets the air become calm, and compares all that there is; then everybody writes again. */
async function settle(when: string): Promise<Calm> {
  for (const guest of guests) await guest.rest();
  const patience = AbortSignal.timeout(PATIENCE_MS);
  for (;;) {
    const table = await nodes.entries();
    const reports = await Promise.all(guests.map((guest) => guest.report()));
    const faults = guests.flatMap(({ name }, index) => oracle.faults(name, table, reports[index] as Report));
    if (faults.length === 0) {
      for (const guest of guests) await guest.start();
      return { table, reports };
    }
    if (patience.aborted) assert.fail(`${when}, seed ${seed}:\n  ${faults.join("\n  ")}`);
  }
}

test(`pages are the table through ${KILLS} kills of the server, and whatever else befalls them`, async (t) => {
  t.diagnostic(`seed ${seed}`);
  const chance = new Chance(seed);
  /** Draws something for each guest, so that everything comes as often. */
  const bag = () => {
    let left: Trouble[] = [];
    return () =>
      guests.map((guest) => {
        if (left.length === 0) left = chance.shuffled(Object.values(troubles));
        return left.pop()?.(guest, new Chance(chance.between(0, 2 ** 31)));
      });
  };
  const [storm, killing] = [bag(), bag()];
  const lead = (port: number) => {
    for (const guest of guests) guest.line.lead(port);
  };
  const wakes: Wake[] = [];
  let calm: Calm = { table: [], reports: [] };

  for (const guest of guests) await guest.start();
  for (let kill = 1; kill <= KILLS; kill++) {
    const { port } = nodes;
    const blowing = storm();
    if (kill % 2 === 1) {
      await pass(chance.between(0, 500));
      await nodes.replace(lead);
    }
    await Promise.all(blowing);
    const before = calm.reports.map((report) => report.wakes.length);
    calm = await settle(`before kill ${kill}`);
    // Of those that the kill does not prolong.
    wakes.push(...calm.reports.flatMap((report, index) => report.wakes.slice(before[index])));

    const through = killing();
    await pass(chance.between(100, 1_500));
    await nodes.kill();
    await pass(chance.between(0, 700));
    nodes = await Nodes.start(site, port);
    lead(nodes.port);
    await Promise.all(through);
    calm = await settle(`after kill ${kill}`);
  }

  const outcomes = new Map<string, number>();
  for (const { outcome } of calm.reports.flatMap(({ written }) => written)) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  const losses = calm.reports.map((report) => report.losses.join(" and "));
  t.diagnostic(`connections were lost ${losses.join(", ")} times`);
  t.diagnostic(`${calm.table.length} entries; ${[...outcomes].map(([outcome, n]) => `${n} ${outcome}`).join(", ")}`);
  t.diagnostic(`pages slept ${calm.reports.map(({ sleeps }) => sleeps).join(", ")} times`);
  t.diagnostic(`live again ${wakes.map(({ ms }) => ms).join(", ")} ms after a sleep or being offline`);
  assert.ok((outcomes.get("acknowledged") ?? 0) > 100 * KILLS, "there was something to lose");
  assert.ok(wakes.length > 0 && calm.reports.some(({ sleeps }) => sleeps > 0), "pages were frozen, and woke");
  assert.deepEqual(wakes.filter(({ ms }) => ms > WAKES_WITHIN_MS), [], "a page is live soon after it wakes");
});
