// The state of the connection in a word or two.

import type { ConnectionState } from "tidewire";
import { useConnection } from "tidewire/react";
import { live } from "../live";

export function ConnectionPill() {
  const connection = useConnection(live);
  return (
    <output className="pill" data-state={connection.state}>
      <span className="pill-dot" />
      {label(connection)}
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
