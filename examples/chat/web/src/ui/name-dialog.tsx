// The first thing a visitor sees: who are you?

import { type FormEvent, useState } from "react";
import { enter, type Visitor } from "../sign-in";
import { ConnectionPill } from "./connection-pill";
import { AlertIcon, WaveIcon } from "./icons";

interface Props {
  /** Somebody whose name the server has not yet taken. */
  visitor: Visitor | undefined;
  refusal: string | undefined;
}

export function NameDialog({ visitor, refusal }: Props) {
  const [name, setName] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    // Whether a name will do is the server's to say.
    enter(name.trim());
  };
  return (
    <main className="welcome">
      <form className="welcome-card" aria-labelledby="welcome-title" onSubmit={submit}>
        <span className="brand-mark">
          <WaveIcon />
        </span>
        <h1 id="welcome-title">Welcome to the chat</h1>
        <p>Rooms to talk in, live. Pick the name that others will see.</p>
        <label htmlFor="name">Your name</label>
        <input
          id="name"
          value={name}
          onChange={(event) => setName(event.target.value)}
          placeholder="Ada"
          autoComplete="nickname"
          autoFocus
          aria-invalid={refusal !== undefined}
          aria-describedby={refusal ? "name-refusal" : undefined}
        />
        {refusal && (
          <p id="name-refusal" className="refusal" role="alert">
            <AlertIcon />
            {refusal}
          </p>
        )}
        <button className="primary" disabled={!name.trim() || name.trim() === visitor?.name}>
          {visitor ? "Entering…" : "Enter"}
        </button>
        {visitor && <ConnectionPill live={visitor.live} />}
      </form>
    </main>
  );
}
