// Any name makes a room.

import { type FormEvent, useState } from "react";
import { roomLink, roomProblem } from "../rooms";
import { PlusIcon } from "./icons";

export function JoinRoom({ onJoin }: { onJoin(): void }) {
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<string>();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const found = roomProblem(name);
    setProblem(found);
    if (found) return;
    location.hash = roomLink(name.trim());
    setName("");
    onJoin();
  };
  return (
    <form className="join" onSubmit={submit}>
      <input
        value={name}
        onChange={(event) => setName(event.target.value)}
        placeholder="Join or make a room"
        aria-label="Name of a room to join"
        aria-invalid={problem !== undefined}
        autoComplete="off"
      />
      <button className="ghost" aria-label="Join">
        <PlusIcon />
      </button>
      {problem && <p role="alert">{problem}</p>}
    </form>
  );
}
