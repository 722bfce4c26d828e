// One room. It is subscribed while the visitor is in it, and shown while it is open.

import { useState } from "react";
import { ErrorCode, type TidewireError } from "tidewire";
import { useConnection } from "tidewire/react";
import { useFeed } from "../feed";
import { type Draft, useOutbox } from "../outbox";
import type { ChatLive } from "../sign-in";
import { Composer } from "./composer";
import { WaveIcon } from "./icons";
import { MessageList } from "./message-list";

interface Props {
  live: ChatLive;
  room: string;
  me: string;
  isActive: boolean;
}

export function Room({ live, room, me, isActive }: Props) {
  const { items, status } = useFeed(live, room);
  const outbox = useOutbox(live, room, me, items);
  const [text, setText] = useState("");
  const isConnected = useConnection(live).state === "connected";
  if (!isActive) return null;

  const edit = (draft: Draft) => {
    outbox.discard(draft);
    setText(text ? `${draft.text}\n${text}` : draft.text);
  };
  const isJoining = status === undefined || status.state === "subscribing";
  const isEmpty = items.length === 0 && outbox.drafts.length === 0;
  return (
    <section className="room" aria-label={`Room ${room}`} aria-busy={isJoining}>
      {isEmpty ? (
        <Empty {...(isJoining ? joining(room) : status.error ? refused(status.error) : quiet(room))} />
      ) : (
        <MessageList
          room={room}
          me={me}
          items={items}
          drafts={outbox.drafts}
          isConnected={isConnected}
          onRetry={outbox.retry}
          onEdit={edit}
        />
      )}
      <Composer room={room} text={text} onText={setText} onSend={outbox.send} isClosed={status?.state === "closed"} />
    </section>
  );
}

/** What stands where messages will be. */
interface EmptyProps {
  title: string;
  text: string;
}

function Empty({ title, text }: EmptyProps) {
  return (
    <div className="empty">
      <span className="empty-mark">
        <WaveIcon />
      </span>
      <h2>{title}</h2>
      <p>{text}</p>
    </div>
  );
}

const joining = (room: string): EmptyProps => ({ title: `Joining ${room}…`, text: "One moment." });

const quiet = (room: string): EmptyProps => ({
  title: `It is quiet in ${room}`,
  text: "Say hello: everybody in the room sees it at once. A second window will do for a try.",
});

const refused = (error: TidewireError): EmptyProps => ({
  title: "This room is closed to this page",
  text:
    error.code === ErrorCode.incompatible ? "The server has a newer version of it. Reload the page." : error.message,
});
