// The pages of these tests, built, and where the table is.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";

/** A folder of its own, removed at the end. */
export interface Site {
  readonly web: string;
  readonly database: string;
  remove(): Promise<void>;
}

/** Builds the pages. */
export async function makeSite(): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), "tidewire-guestbook-"));
  const [root, outDir] = [join(import.meta.dirname, "page"), join(folder, "web")];
  const input = ["index.html", "load.html"].map((page) => join(root, page));
  await build({ root, configFile: false, logLevel: "warn", build: { outDir, emptyOutDir: true, rolldownOptions: { input } } });
  return { web: outDir, database: join(folder, "guestbook.sqlite"), remove: () => rm(folder, { recursive: true }) };
}
