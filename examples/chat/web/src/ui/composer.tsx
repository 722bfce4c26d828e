// Where messages are written.

import { type FormEvent, type KeyboardEvent, useLayoutEffect, useRef } from "react";
import { SendIcon } from "./icons";

interface Props {
  room: string;
  text: string;
  onText(text: string): void;
  onSend(text: string): void;
  /** Whether nothing can be sent to this room. */
  isClosed: boolean;
}

/** As many characters as the server takes. */
const LONGEST = 2000;

/** A field that takes the focus unasked would bring up a keyboard of glass. */
const hasKeys = matchMedia("(hover: hover) and (pointer: fine)").matches;

export function Composer({ room, text, onText, onSend, isClosed }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    // As high as the text, up to what the style sheet allows.
    if (!area.current) return;
    area.current.style.height = "auto";
    area.current.style.height = `${area.current.scrollHeight}px`;
  }, [text]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!text.trim() || isClosed) return;
    onSend(text);
    onText("");
    area.current?.focus();
  };
  const key = (event: KeyboardEvent) => {
    // While an input method composes, Enter chooses a word.
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) submit(event);
  };
  const left = LONGEST - [...text.trim()].length;
  return (
    <form className="composer" onSubmit={submit}>
      <textarea
        ref={area}
        rows={1}
        value={text}
        onChange={(event) => onText(event.target.value)}
        onKeyDown={key}
        placeholder={`Message #${room}`}
        aria-label={`Message to ${room}`}
        autoFocus={hasKeys}
        disabled={isClosed}
      />
      {left < 200 && (
        <span className="left" data-over={left < 0}>
          {left}
          <span className="sr-only"> characters left</span>
        </span>
      )}
      <button className="send" aria-label="Send" disabled={!text.trim() || isClosed}>
        <SendIcon />
      </button>
    </form>
  );
}
