// The rooms, and who the visitor is. On narrow screens a drawer.

import { useEffect, useRef } from "react";
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
        <nav onClick={onClose}>
          <h2 id="rooms">Rooms</h2>
          <ul aria-labelledby="rooms">
            {rooms.all.map((room) => (
              <RoomLink key={room} room={room} rooms={rooms} unread={activity.unread(room)} />
            ))}
          </ul>
          {elsewhere.length > 0 && (
            <>
              <h2 id="elsewhere">Also active</h2>
              <ul aria-labelledby="elsewhere">
                {elsewhere.map(({ room, user, at_ms }) => (
                  <li key={room}>
                    <a className="room-link" href={roomLink(room)} title={`${user}, ${timeOf(at_ms)}`}>
                      <span className="hash">#</span>
                      <span className="room-name">{room}</span>
                      <span className="room-note">{timeOf(at_ms)}</span>
                    </a>
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

function RoomLink({ room, rooms, unread }: { room: string; rooms: Rooms; unread: number }) {
  return (
    <li>
      <a className="room-link" href={roomLink(room)} aria-current={room === rooms.active ? "page" : undefined}>
        <span className="hash">#</span>
        <span className="room-name">{room}</span>
        {unread > 0 && (
          <span className="badge">
            {unread > 99 ? "99+" : unread}
            <span className="sr-only"> unread</span>
          </span>
        )}
      </a>
      {isOwn(room) && (
        <button
          className="ghost leave"
          aria-label={`Leave ${room}`}
          onClick={(event) => {
            event.stopPropagation();
            rooms.leave(room);
          }}
        >
          <CloseIcon />
        </button>
      )}
    </li>
  );
}
