// The prices' server as a process of its own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A running server. */
export interface PriceServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts the server that `PRICES_SERVER` names, with so many trades a second, and waits until it listens. */
export async function startServer(rate: number): Promise<PriceServer> {
  const binary = process.env.PRICES_SERVER;
  if (!binary) throw new Error("PRICES_SERVER is not set: `cargo xtask test e2e` sets it to the built server");
  const env = { ...process.env, HOST: "127.0.0.1", PORT: "0", RATE: String(rate) };
  const child = spawn(binary, { env, stdio: ["ignore", "pipe", "inherit"] });
  const gone = once(child, "exit");
  const failed = gone.then(([code]) => Promise.reject(new Error(`the server ended with ${code}`)));
  failed.catch(() => {});
  const [line] = await Promise.race([once(createInterface(child.stdout), "line"), failed]);
  const url = /http:\S+/.exec(String(line))?.[0];
  if (!url) throw new Error(`no address in the server's first line: ${line}`);
  return {
    url,
    async stop() {
      child.kill("SIGTERM");
      await gone;
    },
  };
}
