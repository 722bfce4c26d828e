// What the visitor has to know, or do, before the chat goes on.

import type { ReactNode } from "react";
import { useConnection } from "tidewire/react";
import { enter, type Visitor } from "../sign-in";
import { AlertIcon } from "./icons";

export function Banner({ visitor: { name, live } }: { visitor: Visitor }) {
  const { state, error, reason, incompatible } = useConnection(live);
  if (incompatible.length > 0) {
    return (
      <Notice action="Reload" onAction={() => location.reload()}>
        This page is older than the server, and part of it no longer works. Reload it to go on.
      </Notice>
    );
  }
  if (error) return <Notice>{error.message}</Notice>;
  if (state === "closed") {
    return (
      <Notice action="Connect again" onAction={() => enter(name, true)}>
        The server ended the connection{reason && `: ${reason}`}.
      </Notice>
    );
  }
  return null;
}

interface NoticeProps {
  children: ReactNode;
  action?: string;
  onAction?: () => void;
}

function Notice({ children, action, onAction }: NoticeProps) {
  return (
    <div className="banner" role="alert">
      <AlertIcon />
      <p>{children}</p>
      {action && <button onClick={onAction}>{action}</button>}
    </div>
  );
}
