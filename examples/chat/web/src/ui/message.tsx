// Messages of one author, and what the visitor has on its way.

import type { ReactNode } from "react";
import type { ChatMessage } from "../chat.schema";
import type { Draft } from "../outbox";
import { exactTimeOf, timeOf } from "../time";
import { Avatar, hueOf } from "./avatar";
import { AlertIcon, ClockIcon } from "./icons";

interface GroupProps {
  user: string;
  isMine: boolean;
  messages: readonly ChatMessage[];
}

export function MessageGroup({ user, isMine, messages }: GroupProps) {
  const at_ms = messages[0]?.at_ms ?? 0;
  return (
    <article className="group person" data-mine={isMine} style={hueOf(user)}>
      {!isMine && <Avatar name={user} />}
      <div className="group-body">
        <header className="group-head">
          <span className={isMine ? "sr-only" : "author"}>{user}</span>
          <time dateTime={new Date(at_ms).toISOString()} title={exactTimeOf(at_ms)}>
            {timeOf(at_ms)}
          </time>
        </header>
        {messages.map((message, index) => (
          // A group only ever grows at its end.
          <p key={index} className="bubble" title={exactTimeOf(message.at_ms)}>
            {message.text}
          </p>
        ))}
      </div>
    </article>
  );
}

interface DraftsProps {
  drafts: readonly Draft[];
  isConnected: boolean;
  onRetry(draft: Draft): void;
  onEdit(draft: Draft): void;
}

export function DraftGroup({ drafts, isConnected, onRetry, onEdit }: DraftsProps) {
  const noteOf = (draft: Draft) => {
    if (draft.failure !== undefined) {
      return (
        <Note icon={<AlertIcon />} role="alert">
          {draft.failure}
          <button onClick={() => onRetry(draft)}>Try again</button>
          <button onClick={() => onEdit(draft)}>Edit</button>
        </Note>
      );
    }
    return <Note icon={<ClockIcon />}>{isConnected ? "Sending…" : "Waits for the connection"}</Note>;
  };
  return (
    <div className="group" data-mine="true" role="group" aria-label="Not sent yet">
      <div className="group-body">
        {drafts.map((draft) => (
          <div key={draft.id} className="draft" data-failed={draft.failure !== undefined}>
            <p className="bubble">{draft.text}</p>
            {noteOf(draft)}
          </div>
        ))}
      </div>
    </div>
  );
}

const Note = ({ icon, children, role }: { icon: ReactNode; children: ReactNode; role?: string }) => (
  <div className="draft-note" role={role}>
    {icon}
    {children}
  </div>
);
