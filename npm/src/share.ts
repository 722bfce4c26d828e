// A connection whose socket is that of a group of tabs.

import { dispose } from "./dispose.js";
import type { Connect, ConnectOptions, Live, Schema } from "./index.js";
import { hex } from "./hex.js";
import { type Page, Tab } from "./tab.js";

declare const PACKAGE_VERSION: string;

/** Connects through a group of tabs, where the page has what that takes. */
export function share<Topics, Calls>(
  page: Page | undefined,
  connect: Connect,
  schema: Schema<Topics, Calls>,
  options: ConnectOptions,
  shareAs: string,
): Live<Topics, Calls> {
  const WebSocket = options.WebSocket ?? globalThis.WebSocket;
  if (!page || !WebSocket) return connect(schema, options);
  const nameOf = (url: string) => nameOfGroup([PACKAGE_VERSION, url, Object.entries(schema.entries).sort(), shareAs]);
  const onError = options.onError ?? globalThis.reportError ?? console.error;
  const tab = new Tab(page, { WebSocket, onError, nameOf });
  const live = connect(schema, { ...options, WebSocket: tab.WebSocket });
  tab.watch(live.connection);
  const close = () => {
    live.close();
    tab.close();
  };
  return { ...live, close, [dispose]: close };
}

/** A name that is the same for the same parts only. */
async function nameOfGroup(parts: readonly unknown[]): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(parts)));
  return `tidewire:${hex(new Uint8Array(bytes))}`;
}

/** What the runtime has for it: all of it, or nothing. */
export function pageHere(): Page | undefined {
  const { navigator, BroadcastChannel, document, crypto } = globalThis as Partial<typeof globalThis>;
  const locks = navigator?.locks;
  if (!locks || !BroadcastChannel || !crypto?.subtle) return undefined;
  return { locks, BroadcastChannel, document, window: globalThis as unknown as EventTarget };
}
