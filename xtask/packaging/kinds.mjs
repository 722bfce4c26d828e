// The projects: what each installs and holds, how it is built, and how it is run. None has a line of configuration for `tidewire`.
//
// `quick` ones are part of `cargo xtask test`. `browser`: the folder that a server serves to Chromium. `tabs`: how many open it, which must all
// say the same. `command`: a program, whose last line counts. `runtime`: the program may not be to be had for this machine; the project is
// skipped then.

const page = (head) => `<!doctype html>\n<meta charset="utf-8">\n<title>waiting</title>\n${head}\n`;
const script = '<script type="module" src="./main.js"></script>';

/** A page that talks itself. */
const main = (name) => `import { talk } from "./talk.js";
talk("/ws", "${name}").then((said) => (document.title = said), (error) => (document.title = String(error)));
`;
const worker = (name) => `import { talk } from "./talk.js";
talk("/ws", "${name}").then(postMessage, (error) => postMessage(String(error)));
`;
const startWorker = `const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
worker.onmessage = ({ data }) => (document.title = data);
worker.onerror = ({ message }) => (document.title = message);
`;
const program = (name, options = "") => `${options && 'import WebSocket from "ws";\n'}import { talk } from "./talk.js";
console.log(await talk(process.env.CHAT_URL, "${name}"${options}));
`;
/** Where there is neither a bundler nor an import map. */
const unbundled = { tidewire: "./node_modules/tidewire/dist/index.js" };
/** A tab that stays: it says hello, and in which session it has heard all that two tabs say. */
const tab = (name) => `import { items } from "tidewire";
import { connect } from "tidewire/tabs";
import { chat } from "./chat.schema.js";

const onError = (error) => (document.title = String(error));
const live = connect(chat, { url: "/ws", token: "${name}", shareAs: "${name}", onError });
const room = live.subscribe("chat:${name}", { state: items() });
room.state.subscribe(() => {
  const said = room.state.getSnapshot().value ?? [];
  if (said.length === 2) document.title = \`${name}: \${said.map(({ text }) => text)} in \${live.connection.getSnapshot().session}\`;
});
room.publish({ text: "hello" }).catch(onError);
`;
const policy = (more = "") => `<meta http-equiv="Content-Security-Policy" content="default-src 'self'; script-src 'self'${more}">${script}`;
const ws = { ws: "8.23.0" };

export const kinds = [
  {
    name: "esbuild",
    quick: true,
    install: { esbuild: "0.28.2" },
    files: { "dist/index.html": page(script), "main.js": main("esbuild") },
    build: ["esbuild main.js --bundle --minify --format=esm --outdir=dist"],
    browser: "dist",
  },
  {
    name: "vite",
    quick: true,
    install: { vite: "8.3.8" },
    files: { "index.html": page(script), "main.js": main("vite") },
    build: ["vite build"],
    browser: "dist",
  },
  {
    name: "vite-worker",
    install: { vite: "8.3.8" },
    files: { "index.html": page(script), "main.js": startWorker, "worker.js": worker("vite-worker") },
    build: ["vite build"],
    browser: "dist",
  },
  {
    name: "vite-served-wasm",
    install: { vite: "8.3.8" },
    files: {
      "index.html": page(script),
      "main.js": `import { connectWith } from "tidewire";
import address from "tidewire/core.wasm?url";
import { talk } from "./talk.js";
const connect = connectWith(() => WebAssembly.instantiateStreaming(fetch(address)));
talk("/ws", "vite-served-wasm", { connect }).then((said) => (document.title = said), (error) => (document.title = String(error)));
`,
    },
    build: ["vite build"],
    browser: "dist",
  },
  {
    name: "vite-tabs",
    quick: true,
    install: { vite: "8.3.8" },
    files: { "index.html": page(script), "main.js": tab("vite-tabs") },
    build: ["vite build"],
    browser: "dist",
    tabs: 2,
    expected: /^vite-tabs: hello,hello in \w+$/,
  },
  {
    name: "webpack",
    install: { webpack: "5.112.2", "webpack-cli": "7.3.1" },
    files: { "dist/index.html": page('<script defer src="./main.js"></script>'), "main.js": main("webpack") },
    build: ["webpack --mode production --entry ./main.js"],
    browser: "dist",
  },
  {
    name: "rollup",
    // Rollup resolves no packages of itself.
    install: { rollup: "4.68.8", "@rollup/plugin-node-resolve": "16.0.3" },
    files: { "dist/index.html": page(script), "main.js": main("rollup") },
    build: ["rollup main.js --format es --dir dist --plugin node-resolve"],
    browser: "dist",
  },
  {
    name: "script",
    quick: true,
    files: {
      "index.html": page(`<script type="importmap">{ "imports": { "tidewire": "./node_modules/tidewire/dist/index.js" } }</script>${script}`),
      "main.js": main("script"),
    },
    browser: ".",
  },
  {
    name: "script-tabs",
    quick: true,
    files: {
      "index.html": page(
        `<script type="importmap">{ "imports": { "tidewire": "./node_modules/tidewire/dist/index.js", "tidewire/tabs": "./node_modules/tidewire/dist/tabs.js" } }</script>${script}`,
      ),
      "main.js": tab("script-tabs"),
    },
    browser: ".",
    tabs: 2,
    expected: /^script-tabs: hello,hello in \w+$/,
  },
  {
    name: "worker",
    quick: true,
    names: unbundled,
    files: { "index.html": page(script), "main.js": startWorker, "worker.js": worker("worker") },
    browser: ".",
  },
  {
    name: "shared-worker",
    quick: true,
    names: unbundled,
    files: {
      "index.html": page(script),
      "main.js": `const { port } = new SharedWorker(new URL("./worker.js", import.meta.url), { type: "module" });
port.onmessage = ({ data }) => (document.title = data);
`,
      "worker.js": `import { talk } from "./talk.js";
const said = talk("/ws", "shared-worker").catch(String);
addEventListener("connect", ({ ports: [port] }) => said.then((text) => port.postMessage(text)));
`,
    },
    browser: ".",
  },
  {
    name: "served-wasm",
    quick: true,
    names: unbundled,
    files: {
      "index.html": page(script),
      "main.js": `import { connectWith } from "./node_modules/tidewire/dist/index.js";
import { talk } from "./talk.js";
const connect = connectWith(() => WebAssembly.instantiateStreaming(fetch("./node_modules/tidewire/dist/core.wasm")));
talk("/ws", "served-wasm", { connect }).then((said) => (document.title = said), (error) => (document.title = String(error)));
`,
    },
    browser: ".",
  },
  {
    name: "policy-without-wasm",
    quick: true,
    names: unbundled,
    files: { "index.html": page(policy()), "main.js": main("policy-without-wasm") },
    browser: ".",
    expected: /Content-Security-Policy needs 'wasm-unsafe-eval' in script-src, else import connect from tidewire\/js/,
    // The browser's own word for what the policy refuses.
    complains: /Content Security Policy/,
  },
  {
    name: "policy-with-wasm",
    quick: true,
    names: unbundled,
    files: { "index.html": page(policy(" 'wasm-unsafe-eval'")), "main.js": main("policy-with-wasm") },
    browser: ".",
  },
  {
    name: "policy-js",
    quick: true,
    names: { tidewire: "./node_modules/tidewire/dist/js.js" },
    files: { "index.html": page(policy()), "main.js": main("policy-js") },
    browser: ".",
  },
  {
    name: "next",
    install: { next: "16.4.6", react: "19.3.1", "react-dom": "19.3.1", ...ws },
    files: {
      "app/layout.js": `export default ({ children }) => <html lang="en"><body>{children}</body></html>;\n`,
      "app/page.js": `"use client";
import { useEffect } from "react";
import { connect } from "tidewire";
import { useConnection } from "tidewire/react";
import { chat } from "../chat.schema.js";
import { talk } from "../talk.js";

const live = connect(chat, { url: "/ws", token: "next" });

export default function Page() {
  const { state } = useConnection(live);
  useEffect(() => {
    talk("/ws", "next").then((said) => (document.title = said), (error) => (document.title = String(error)));
  }, []);
  return <p>the connection is {state}</p>;
}
`,
      "app/server/route.js": `import WebSocket from "ws";
import { talk } from "../../talk.js";

export const dynamic = "force-dynamic";
export const GET = async () => new Response(await talk(process.env.CHAT_URL, "next", { WebSocket }));
`,
    },
    build: ["next build"],
    serve: "next start --hostname 127.0.0.1 --port",
    // Rendered on the server, where a path leads nowhere; and a route that talks from there.
    answers: { "/": /the connection is (<!-- -->)?idle/, "/server": /^next: hello$/ },
  },
  { name: "node", quick: true, install: ws, files: { "main.mjs": program("node", ", { WebSocket }") }, command: "node main.mjs" },
  { name: "node-20", runtime: true, install: { node: "20.9.0", ...ws }, files: { "main.mjs": program("node-20", ", { WebSocket }") }, command: "node main.mjs" },
  { name: "node-22", runtime: true, install: { node: "22.23.3" }, files: { "main.mjs": program("node-22") }, command: "node main.mjs" },
  { name: "node-24", runtime: true, install: { node: "24.9.0" }, files: { "main.mjs": program("node-24") }, command: "node main.mjs" },
  { name: "deno", runtime: true, install: { deno: "2.9.6" }, files: { "main.mjs": program("deno") }, command: "deno run --allow-net --allow-env main.mjs" },
  { name: "bun", runtime: true, install: { bun: "1.4.5" }, files: { "main.mjs": program("bun") }, command: "bun main.mjs" },
];
