// One room. It is subscribed while the visitor is in it, and shown while it is open.

import { useEffect, useMemo, useRef, useState } from "react";
import { ErrorCode, type TidewireError } from "tidewire";
import { useConnection } from "tidewire/react";
import { type Feed, useFeed } from "../feed";
import { type Draft, useOutbox } from "../outbox";
import type { ChatLive } from "../sign-in";
import { useWriting } from "../writing";
import { Composer } from "./composer";
import { Here, Writing } from "./here";
import { WaveIcon } from "./icons";
import { MessageList } from "./message-list";

interface Props {
  live: ChatLive;
  room: string;
  me: string;
  isActive: boolean;
}

export function Room({ live, room, me, isActive }: Props) {
  const [text, setText] = useState("");
  const feed = useFeed(live, room, { is_writing: useWriting(text) });
  const outbox = useOutbox(feed, me);
  const [sent, setSent] = useState(0);
  const back = useReturn(feed);
  const isConnected = useConnection(live).state === "connected";
  const { state = [], pending, presence, status, error } = feed;
  // What is on its way stands below, as drafts.
  const items = useMemo(() => state.filter(({ message }) => !message || !pending.includes(message)), [state, pending]);
  if (!isActive) return null;

  const send = (text: string) => {
    outbox.send(text);
    setSent(sent + 1);
  };
  const edit = (draft: Draft) => {
    outbox.discard(draft);
    setText(text ? `${draft.text}\n${text}` : draft.text);
  };
  const isJoining = status === "subscribing";
  const isEmpty = items.length === 0 && outbox.drafts.length === 0;
  return (
    <section className="room" aria-label={`Room ${room}`} aria-busy={isJoining}>
      <Here presence={presence} me={me} />
      {back && (
        <p className="back" role="status" data-whole={back === "whole"}>
          {back === "whole" ? "You are back, and nothing was missed." : "You are back, but some messages may be missing."}
        </p>
      )}
      {isEmpty ? (
        <Empty {...(isJoining ? joining(room) : error ? refused(error) : quiet(room))} />
      ) : (
        <MessageList
          room={room}
          me={me}
          items={items}
          drafts={outbox.drafts}
          sent={sent}
          isConnected={isConnected}
          onRetry={outbox.retry}
          onEdit={edit}
        />
      )}
      <Writing presence={presence} me={me} />
      <Composer room={room} text={text} onText={setText} onSend={send} isClosed={status === "closed"} />
    </section>
  );
}

/** How long the visitor is told of having been away. */
const TOLD_MS = 4_000;

/** For a while after the connection was lost and found: whether everything came that was missed. */
function useReturn({ status, recovered }: Feed): "whole" | "holes" | undefined {
  const [back, setBack] = useState<"whole" | "holes">();
  const before = useRef<"new" | "live" | "away">("new");
  useEffect(() => {
    if (status === "live" && before.current === "away") setBack(recovered ? "whole" : "holes");
    if (status === "live") before.current = "live";
    else if (before.current === "live") before.current = "away";
  }, [status, recovered]);
  useEffect(() => {
    if (!back) return;
    const timer = setTimeout(() => setBack(undefined), TOLD_MS);
    return () => clearTimeout(timer);
  }, [back]);
  return back;
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
