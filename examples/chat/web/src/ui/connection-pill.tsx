// The state of the connection in a word or two.

import type { ConnectionState } from "tidewire";
import { useConnection } from "tidewire/react";
import type { ChatLive } from "../sign-in";
import { exactTimeOf, useNow } from "../time";

export function ConnectionPill({ live }: { live: ChatLive }) {
  const connection = useConnection(live);
  const { state, retryAt } = connection;
  const now = useNow(250, retryAt !== undefined);
  const seconds = Math.max(0, Math.ceil(((retryAt ?? now) - now) / 1000));
  return (
    <output
      className="pill"
      data-state={state}
      title={retryAt === undefined ? undefined : `Next try: ${exactTimeOf(retryAt)}`}
    >
      <span className="pill-dot" />
      {label(connection)}
      {/* Read out once per state, not once per second. */}
      {seconds > 0 ? <span aria-hidden="true">{` in ${seconds} s`}</span> : state === "waiting" && "…"}
    </output>
  );
}

function label({ state, session }: ConnectionState): string {
  switch (state) {
    case "connected":
      return "Connected";
    case "waiting":
      return "Reconnecting";
    case "closed":
      return "Disconnected";
    default:
      return session === undefined ? "Connecting…" : "Reconnecting…";
  }
}
