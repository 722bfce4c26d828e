// Builds and runs a fresh project of each kind from the packed package, against a real server.
//
// `cargo xtask packaging` starts this with TARBALL (the package), CHAT_SERVER (the built server), CHAT_SCHEMA (its schema), CHROMIUM and
// FOLDER (where the projects are made). Arguments: `--quick`, or names of kinds.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { transformSync } from "esbuild";
import { chromium } from "playwright-core";
import { kinds } from "./kinds.mjs";
import { front } from "./front.mjs";

const { TARBALL, CHAT_SERVER, CHAT_SCHEMA, CHROMIUM, FOLDER } = process.env;
const here = import.meta.dirname;
const PATIENCE_MS = 30_000;

const quick = process.argv.includes("--quick");
const named = process.argv.slice(2).filter((name) => !name.startsWith("--"));
const unknown = named.filter((name) => kinds.every((kind) => kind.name !== name));
if (unknown.length > 0) throw new Error(`no kind ${unknown}; there are ${kinds.map(({ name }) => name)}`);
const chosen = kinds.filter((kind) => (named.length > 0 ? named.includes(kind.name) : kind.quick || !quick));

/** Chromium, started with the first page. */
let browser;

/** Nothing is installed but what the project names, and its programs are found before others. */
const programs = (folder, more = {}) => ({
  cwd: folder,
  encoding: "utf8",
  env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1", DENO_NO_UPDATE_CHECK: "1", ...more, PATH: `${join(folder, "node_modules/.bin")}${delimiter}${process.env.PATH}` },
});

/** Lays out the project anew, as one that has never seen the package. */
function layOut(folder, { files, install = {}, names = {} }) {
  rmSync(folder, { recursive: true, force: true });
  const put = (name, text) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  let talk = readFileSync(join(here, "talk.js"), "utf8");
  for (const [name, path] of Object.entries(names)) talk = talk.replace(JSON.stringify(name), JSON.stringify(path));
  put("talk.js", talk);
  put("chat.schema.js", transformSync(readFileSync(CHAT_SCHEMA, "utf8"), { loader: "ts" }).code);
  const dependencies = { ...install, tidewire: `file:${TARBALL}` };
  put("package.json", JSON.stringify({ name: "fresh", private: true, type: "module", dependencies }));
  for (const [name, text] of Object.entries(files)) put(name, text);
}

/** A chat server of the project's own, which serves what is in `web`; its address. */
async function startChat(web, stop) {
  const server = spawn(CHAT_SERVER, { env: { ...process.env, PORT: "0", HOST: "127.0.0.1", WEB: web }, stdio: ["ignore", "pipe", "ignore"] });
  stop.push(() => server.kill());
  const [line] = await once(createInterface(server.stdout), "line");
  return new URL(/http:\S+/.exec(line)[0]);
}

/** What the title of each page becomes, and what the browser complained of meanwhile. */
async function visit(url, pages, stop) {
  browser ??= chromium.launch({
    executablePath: CHROMIUM,
    args: [
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    ],
  });
  const context = await (await browser).newContext();
  stop.push(() => context.close());
  const complaints = [];
  const open = async () => {
    const page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && !/favicon/.test(message.location().url) && complaints.push(message.text()));
    await page.goto(String(url));
    return page;
  };
  const said = await Promise.all(Array.from({ length: pages }, async () => titleOf(await open())));
  return { said, complaints };
}

/** What a page's title becomes; polled, for a strict policy forbids the evaluation that waiting for a function would need. */
async function titleOf(page) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const title = await page.title();
    if (title !== "waiting" && title !== "") return title;
  }
  return "nothing";
}

async function run(kind, stop) {
  const folder = join(FOLDER, kind.name);
  layOut(folder, kind);
  const shell = (command) => promisify(execFile)(command.split(" ")[0], command.split(" ").slice(1), programs(folder));
  try {
    await shell("npm install --no-audit --no-fund --loglevel=error");
    if (kind.runtime) await shell(`${kind.command.split(" ")[0]} --version`);
  } catch (error) {
    if (kind.runtime) return `skipped: ${String(error.stderr || error.message).trim().split("\n")[0]}`;
    throw error;
  }
  for (const command of kind.build ?? []) await shell(command);
  const chat = await startChat(join(folder, kind.browser ?? "."), stop);
  const CHAT_URL = `ws://${chat.host}/ws`;
  const expected = kind.expected ?? new RegExp(`^${kind.name}: hello$`);
  if (kind.command) {
    const child = spawn(kind.command.split(" ")[0], kind.command.split(" ").slice(1), { ...programs(folder, { CHAT_URL }), stdio: ["ignore", "pipe", "inherit"] });
    const timer = setTimeout(() => child.kill(), PATIENCE_MS);
    let said = "";
    child.stdout.on("data", (data) => (said += data));
    const [code] = await once(child, "close");
    clearTimeout(timer);
    check(code === 0, `${kind.command} ended with ${code}`);
    check(expected.test(said.trim()), `it said ${JSON.stringify(said)}`);
    return "ok";
  }
  const url = kind.serve ? await front(kind, programs(folder, { CHAT_URL }), chat, stop) : chat;
  const { said, complaints } = await visit(url, kind.tabs ?? 1, stop);
  check(said.every((title) => expected.test(title) && title === said[0]), `the page says ${JSON.stringify(said)} ${complaints}`);
  const others = complaints.filter((text) => !kind.complains?.test(text));
  check(others.length === 0, `the browser complains: ${others}`);
  for (const [path, answer] of Object.entries(kind.answers ?? {})) {
    const text = await (await fetch(new URL(path, url))).text();
    check(answer.test(text), `${path} answers ${text.slice(0, 2_000)}`);
  }
  return "ok";
}

function check(holds, text) {
  if (!holds) throw new Error(text);
}

let failed = 0;
const waiting = [...chosen];

/** Runs what waits, one after the other. */
async function work() {
  for (let kind = waiting.shift(); kind; kind = waiting.shift()) {
    const begin = Date.now();
    const stop = [];
    let outcome;
    try {
      outcome = await run(kind, stop);
    } catch (error) {
      failed++;
      outcome = `FAILED: ${error.message}\n${error.stdout ?? ""}${error.stderr ?? ""}`.trim();
    }
    for (const end of stop.reverse()) await end();
    console.log(`${kind.name.padEnd(20)} ${((Date.now() - begin) / 1000).toFixed(1).padStart(6)}  ${outcome}`);
  }
}

// Three at a time: mostly they wait for a registry and for each other's processes.
await Promise.all([work(), work(), work()]);
await (await browser)?.close();
process.exitCode = failed > 0 ? 1 : 0;
