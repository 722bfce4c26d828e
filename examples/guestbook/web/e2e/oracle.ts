// What must be true once the air is calm. It knows the table and what each guest says, and nothing of how either came to be.

import type { Entry } from "../src/guestbook.schema.js";
import type { Report, Written } from "./page/main.js";

/** Outcomes of which it is known that nothing was done. */
const NOT_DONE = new Set(["not_sent", "offline_queue_full", "invalid_data", "forbidden"]);

/** All that is wrong with what a guest says, by the table; nothing if all is right and nothing is on its way. */
export function faults(name: string, table: readonly Entry[], report: Report): string[] {
  const rows = new Map<string, number>();
  for (const { text } of table) rows.set(text, (rows.get(text) ?? 0) + 1);
  const all = [
    ...report.faults,
    ...differences(table, report.entries ?? []),
    ...report.written.flatMap((entry) => wrongOutcome(rows.get(entry.text) ?? 0, entry)),
    ...disorder(name, table),
    ...misfollowed(report),
    ...(report.entries ? [] : ["it has no state"]),
    ...(report.watched > 0 ? ["it has just woken"] : []),
    ...(report.echoes > 0 ? [`${report.echoes} echoes have found no event`] : []),
  ];
  if (all.length === 0) return [];
  const more = all.length > MOST_TOLD ? [`and ${all.length - MOST_TOLD} more`] : [];
  return [...all.slice(0, MOST_TOLD), ...more, report.about].map((fault) => `${name}: ${fault}`);
}

/** A guest who has nothing lacks everything. */
const MOST_TOLD = 10;

/** Where a page's state is not the table. */
function differences(table: readonly Entry[], state: readonly Entry[]): string[] {
  const found: string[] = [];
  const left = new Map(table.map((entry) => [entry.id, entry]));
  const seen = new Set<number>();
  for (const entry of state) {
    const row = left.get(entry.id);
    if (seen.has(entry.id)) found.push(`"${entry.text}" (${entry.id}) is there twice`);
    else if (!row) found.push(`"${entry.text}" (${entry.id}) is in no row`);
    else if (row.text !== entry.text || row.guest !== entry.guest) found.push(`row ${row.id} is another there`);
    seen.add(entry.id);
    left.delete(entry.id);
  }
  for (const { id, text } of left.values()) found.push(`"${text}" (${id}) is missing`);
  return found;
}

/** An entry that is in the table more often, or less, than its writer was told. */
function wrongOutcome(rows: number, { text, outcome }: Written): string[] {
  const [least, most] = outcome === "acknowledged" ? [1, 1] : NOT_DONE.has(outcome) ? [0, 0] : [0, 1];
  if (outcome === "pending") return [`nothing has come of "${text}"`];
  return rows < least || rows > most ? [`"${text}", ${outcome}, is in ${rows} rows`] : [];
}

/** A guest's entries that are not in the order in which they were written. */
function disorder(name: string, table: readonly Entry[]): string[] {
  const numbers = table.filter(({ guest }) => guest === name).map(({ text }) => Number(text.split(" ").at(-1)));
  const wrong = numbers.findIndex((number, index) => index > 0 && number <= (numbers[index - 1] ?? 0));
  return wrong < 0 ? [] : [`entry ${numbers[wrong]} is behind ${numbers[wrong - 1]}`];
}

/** What the follower, who gets no snapshot, has not got, or has got otherwise than was acknowledged. */
function misfollowed({ followed, head, written }: Report): string[] {
  if (head === undefined) return ["the server does not answer"];
  if (followed.last !== head) return [`it has followed up to ${followed.last} of ${head}`];
  const offsets = Object.keys(followed.texts).map(Number);
  const first = Math.min(...offsets);
  return written.flatMap(({ text, position }) => {
    if (!position || position.epoch !== followed.epoch || position.offset < first) return [];
    const got = followed.texts[position.offset];
    return got === text ? [] : [`"${text}" was acknowledged as event ${position.offset}, which is "${got}"`];
  });
}
