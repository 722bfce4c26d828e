// Whether the visitor is about to say something.

import { useEffect, useState } from "react";

/** Who has not changed the text for this long has stopped to think, or is gone. */
const PAUSE_MS = 4_000;

/** Whether a text that is being written has changed lately. */
export function useWriting(text: string): boolean {
  const [paused, setPaused] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setPaused(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return text.trim() !== "" && text !== paused;
}
