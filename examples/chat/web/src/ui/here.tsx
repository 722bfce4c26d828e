// Who is in a room, and who is about to say something.

import type { PresenceState } from "tidewire";
import type { Visitor } from "../chat.schema";
import { Avatar } from "./avatar";

/** How many are shown as pictures. */
const SHOWN = 5;

const list = new Intl.ListFormat(undefined, { type: "conjunction" });

interface Props {
  presence: PresenceState<Visitor> | undefined;
  me: string;
}

export function Here({ presence, me }: Props) {
  if (!presence) return null;
  const others = [...presence.members.keys()].filter((name) => name !== me);
  return (
    <div className="here" role="group" aria-label="Who is here">
      {others.slice(0, SHOWN).map((name) => (
        <Avatar key={name} name={name} />
      ))}
      <span className="here-names">{others.length === 0 ? "Nobody else is here" : `Here: ${names(others)}`}</span>
    </div>
  );
}

export function Writing({ presence, me }: Props) {
  const writers = [...(presence?.members ?? [])].flatMap(([name, { is_writing }]) => (is_writing && name !== me ? name : []));
  return (
    <p className="writing" aria-live="polite">
      {writers.length > 0 && `${names(writers)} ${writers.length === 1 ? "is" : "are"} writing…`}
    </p>
  );
}

function names(all: readonly string[]): string {
  const rest = all.length - SHOWN;
  return list.format(rest > 0 ? [...all.slice(0, SHOWN), `${rest} more`] : all);
}
