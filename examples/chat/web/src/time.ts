// Moments in words, in the visitor's language.

import { useEffect, useState } from "react";

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const date = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

/** `14:05`, or `2:05 PM`. */
export const timeOf = (at_ms: number): string => clock.format(at_ms);

/** The day and the second. */
export const exactTimeOf = (at_ms: number): string => exact.format(at_ms);

/** `today`, or `Monday, 3 March`. */
export function dayOf(at_ms: number): string {
  const isToday = new Date(at_ms).toDateString() === new Date().toDateString();
  return isToday ? relative.format(0, "day") : date.format(at_ms);
}

/** The time, again every so often while it is wanted. */
export function useNow(every_ms: number, wanted: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!wanted) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), every_ms);
    return () => clearInterval(timer);
  }, [every_ms, wanted]);
  return now;
}
