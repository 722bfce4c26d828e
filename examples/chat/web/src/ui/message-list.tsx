// The messages of a room. The list stays at its end unless the visitor has scrolled up.

import { useLayoutEffect, useMemo, useRef, useState } from "react";
import type { FeedItem } from "../feed";
import type { Draft } from "../outbox";
import { dayOf } from "../time";
import { timeline } from "../timeline";
import { DownIcon } from "./icons";
import { DraftGroup, MessageGroup } from "./message";

interface Props {
  room: string;
  me: string;
  items: readonly FeedItem[];
  drafts: readonly Draft[];
  /** Grows with everything that the visitor sends. */
  sent: number;
  isConnected: boolean;
  onRetry(draft: Draft): void;
  onEdit(draft: Draft): void;
}

export function MessageList({ room, me, items, drafts, sent, isConnected, onRetry, onEdit }: Props) {
  const blocks = useMemo(() => timeline(items), [items]);
  const { list, fresh, follow, onScroll } = useEnd(items.at(-1)?.key ?? 0, sent);
  return (
    <div className="messages-frame">
      {/* Focusable, so that the keyboard scrolls it. */}
      <div className="messages" ref={list} onScroll={onScroll} role="log" aria-label={`Messages in ${room}`} tabIndex={0}>
        <div className="column">
          {blocks.map((block) => {
            switch (block.kind) {
              case "day":
                return <Divider key={block.key}>{dayOf(block.at_ms)}</Divider>;
              case "gap":
                return <Divider key={block.key}>some messages may be missing here</Divider>;
              case "group":
                return <MessageGroup key={block.key} user={block.user} isMine={block.user === me} messages={block.messages} />;
            }
          })}
          {drafts.length > 0 && <DraftGroup drafts={drafts} isConnected={isConnected} onRetry={onRetry} onEdit={onEdit} />}
        </div>
      </div>
      {fresh && (
        <button className="to-end" onClick={follow}>
          <DownIcon />
          New messages
        </button>
      )}
    </div>
  );
}

const Divider = ({ children }: { children: string }) => (
  <p className="divider">
    <span>{children}</span>
  </p>
);

/** Closer than this to its end, a list is at its end. */
const NEAR_PX = 48;

/**
 * Keeps a list at its end while its content and its height change, unless the visitor reads further up; then `fresh` says
 * whether there is more below. What the visitor sends (`sent` grows) brings the end back.
 */
function useEnd(newest: number, sent: number) {
  const list = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const height = useRef(0);
  // The newest item that has been in view.
  const [seen, setSeen] = useState(newest);

  const follow = () => {
    isAtEnd.current = true;
    setSeen(newest);
    list.current?.scrollTo({ top: list.current.scrollHeight });
  };
  const onScroll = () => {
    if (!list.current) return;
    const { scrollHeight, scrollTop, clientHeight } = list.current;
    // Not the visitor has scrolled, but the list has another height.
    if (clientHeight !== height.current) return;
    isAtEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (isAtEnd.current) setSeen(newest);
  };
  useLayoutEffect(() => {
    if (isAtEnd.current) setSeen(newest);
  }, [newest]);
  useLayoutEffect(() => {
    if (sent > 0) follow();
  }, [sent]);
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      height.current = element.clientHeight;
      if (isAtEnd.current) element.scrollTo({ top: element.scrollHeight });
    });
    // The list itself too: a keyboard that opens, or a composer that grows, must not hide the end.
    for (const part of [element, ...element.children]) observer.observe(part);
    return () => observer.disconnect();
  }, []);
  return { list, fresh: newest > seen, follow, onScroll };
}
