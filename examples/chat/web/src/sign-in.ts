// Who uses the page, and this person's connection. It lives outside React, so that no rendering ever reconnects.

import { CloseCode, connect, type Live } from "tidewire";
import { chat, type ChatTopics } from "./chat.schema";

/** The connection to the chat server. */
export type ChatLive = Live<ChatTopics>;

/** Somebody with a name, and the connection that was made with it. */
export interface Visitor {
  readonly name: string;
  readonly live: ChatLive;
  /** Whether the server has ever let this name in: a page that is loaded again need not wait for that. */
  readonly accepted: boolean;
}

/** Where signing in stands. */
export interface SignIn {
  /** Nobody where the page has to ask for a name. */
  readonly visitor?: Visitor;
  /** Why the server did not take the last name. */
  readonly refusal?: string;
}

/** Of this window alone, so that two windows are two people; a page that is loaded again has it still. */
const KEY = "tidewire-chat.name";

let state: SignIn = {};
const listeners = new Set<() => void>();

/** For `useSyncExternalStore`. */
export const signIn = {
  getSnapshot: (): SignIn => state,
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

/** Connects with a name, which the server may refuse. */
export function enter(name: string, accepted = false): void {
  state.visitor?.live.close();
  const live = connect(chat, { url: "/ws", token: () => name });
  set({ visitor: { name, live, accepted } });
  live.connection.subscribe(() => follow(name, live));
}

/** Ends the connection and forgets the name. */
export function leave(refusal?: string): void {
  const { visitor } = state;
  sessionStorage.removeItem(KEY);
  set(refusal ? { refusal } : {});
  visitor?.live.close();
}

/** Learns from the connection whether the server takes the name. */
function follow(name: string, live: ChatLive): void {
  if (state.visitor?.live !== live) return;
  const connection = live.connection.getSnapshot();
  if (connection.state === "connected" && !state.visitor.accepted) {
    sessionStorage.setItem(KEY, name);
    set({ visitor: { name, live, accepted: true } });
  }
  if (connection.state === "closed" && connection.code === CloseCode.unauthorized) {
    leave(connection.reason || "The server did not take this name.");
  }
}

function set(next: SignIn): void {
  state = next;
  for (const listener of listeners) listener();
}

const remembered = sessionStorage.getItem(KEY);
if (remembered) enter(remembered, true);
