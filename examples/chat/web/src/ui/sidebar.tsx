// The rooms, and who the visitor is. On narrow screens a drawer.

import { type ReactNode, useEffect, useRef } from "react";
import type { Activity } from "../activity";
import { isOwn, roomLink, type Rooms } from "../rooms";
import { leave, type Visitor } from "../sign-in";
import { timeOf } from "../time";
import { Avatar } from "./avatar";
import { CloseIcon, LeaveIcon, WaveIcon } from "./icons";
import { JoinRoom } from "./join-room";

interface Props {
  visitor: Visitor;
  rooms: Rooms;
  activity: Activity;
  isDrawer: boolean;
  isOpen: boolean;
  onClose(): void;
}

export function Sidebar({ visitor, rooms, activity, isDrawer, isOpen, onClose }: Props) {
  const drawer = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!isDrawer || !isOpen) return;
    const before = document.activeElement;
    drawer.current?.focus();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, [isDrawer, isOpen]);

  const elsewhere = activity.latest.filter(({ room }) => !rooms.all.includes(room)).slice(0, 5);
  return (
    <>
      {isDrawer && isOpen && <div className="backdrop" onClick={onClose} />}
      <aside
        ref={drawer}
        className="sidebar"
        aria-label="Rooms"
        data-open={isOpen}
        inert={!isOpen}
        tabIndex={-1}
        onKeyDown={(event) => isDrawer && event.key === "Escape" && onClose()}
      >
        <div className="brand">
          <span className="brand-mark">
            <WaveIcon />
          </span>
          Tidewire chat
          {isDrawer && (
            <button className="ghost" aria-label="Close" onClick={onClose}>
              <CloseIcon />
            </button>
          )}
        </div>
        <nav>
          <h2 id="rooms">Rooms</h2>
          <ul aria-labelledby="rooms">
            {rooms.all.map((room) => (
              <li key={room}>
                <RoomLink room={room} isActive={room === rooms.active} onOpen={onClose}>
                  <Unread count={activity.unread(room)} />
                </RoomLink>
                {isOwn(room) && (
                  <button className="ghost leave" aria-label={`Leave ${room}`} onClick={() => rooms.leave(room)}>
                    <CloseIcon />
                  </button>
                )}
              </li>
            ))}
          </ul>
          {elsewhere.length > 0 && (
            <>
              <h2 id="elsewhere">Also active</h2>
              <ul aria-labelledby="elsewhere">
                {elsewhere.map(({ room, user, at_ms }) => (
                  <li key={room}>
                    <RoomLink room={room} title={`${user}, ${timeOf(at_ms)}`} onOpen={onClose}>
                      <span className="room-note">{timeOf(at_ms)}</span>
                    </RoomLink>
                  </li>
                ))}
              </ul>
            </>
          )}
        </nav>
        <JoinRoom onJoin={onClose} />
        <div className="me">
          <Avatar name={visitor.name} />
          <span className="me-name">{visitor.name}</span>
          <button className="ghost" aria-label="Leave, and change your name" title="Change name" onClick={() => leave()}>
            <LeaveIcon />
          </button>
        </div>
      </aside>
    </>
  );
}

interface RoomLinkProps {
  room: string;
  isActive?: boolean;
  title?: string;
  onOpen(): void;
  children: ReactNode;
}

function RoomLink({ room, isActive, title, onOpen, children }: RoomLinkProps) {
  return (
    <a className="room-link" href={roomLink(room)} title={title} aria-current={isActive ? "page" : undefined} onClick={onOpen}>
      <span className="hash">#</span>
      <span className="room-name">{room}</span>
      {children}
    </a>
  );
}

function Unread({ count }: { count: number }) {
  if (count === 0) return null;
  return (
    <span className="badge">
      {count > 99 ? "99+" : count}
      <span className="sr-only"> unread</span>
    </span>
  );
}
