// The chat of somebody who is in: the rooms beside the one that is open.

import { useEffect, useState } from "react";
import { useActivity } from "../activity";
import { useRooms } from "../rooms";
import type { Visitor } from "../sign-in";
import { Banner } from "./banner";
import { ConnectionPill } from "./connection-pill";
import { MenuIcon } from "./icons";
import { useIsNarrow } from "./narrow";
import { Room } from "./room";
import { Sidebar } from "./sidebar";

export function Chat({ visitor }: { visitor: Visitor }) {
  const { name, live } = visitor;
  const rooms = useRooms();
  const activity = useActivity(live, name, rooms.active);
  const isNarrow = useIsNarrow();
  const [isOpen, setIsOpen] = useState(false);
  const unread = rooms.all.reduce((sum, room) => sum + activity.unread(room), 0);

  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${rooms.active} · Tidewire chat`;
  }, [unread, rooms.active]);

  return (
    <div className="shell">
      <Sidebar
        visitor={visitor}
        rooms={rooms}
        activity={activity}
        isDrawer={isNarrow}
        isOpen={!isNarrow || isOpen}
        onClose={() => setIsOpen(false)}
      />
      <main className="sheet" inert={isNarrow && isOpen}>
        <header className="sheet-head">
          {isNarrow && (
            <button className="ghost" aria-label="Rooms" aria-expanded={isOpen} onClick={() => setIsOpen(true)}>
              <MenuIcon />
              {unread > 0 && <span className="dot" />}
            </button>
          )}
          <h1>
            <span className="hash">#</span>
            {rooms.active}
          </h1>
          <ConnectionPill live={live} />
        </header>
        <Banner visitor={visitor} />
        {rooms.all.map((room) => (
          <Room key={room} live={live} room={room} me={name} isActive={room === rooms.active} />
        ))}
      </main>
    </div>
  );
}
