// Whether the tab that leads still answers. Only tabs that are shown watch: the timers of others are slowed down.

/** After so much silence it is asked, */
const QUIET_MS = 400;
/** and it has so long to answer. */
const ANSWER_MS = 1_000;
/** A timer that is later than this says that this page slept, not the other. */
const LATE_MS = 250;

/** Watches another tab. */
export interface Watch {
  /** Something of it came. */
  heard(): void;
  /** Watches from now on, or no longer. */
  set(isOn: boolean): void;
}

/** A watch that is off; `ask` asks for an answer, `silent` hears that none came. */
export function watch(ask: () => void, silent: () => void): Watch {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let heardAt = 0;
  let isAsking = false;
  const wait = (ms: number) => {
    isAsking = false;
    timer = setTimeout(look, ms);
  };
  const look = () => {
    const quietMs = Date.now() - heardAt;
    // Clocks are also set back.
    if (quietMs >= 0 && quietMs < QUIET_MS) wait(QUIET_MS - quietMs);
    else put();
  };
  const put = () => {
    const askedAt = Date.now();
    isAsking = true;
    timer = setTimeout(() => {
      const isLate = Date.now() - askedAt > ANSWER_MS + LATE_MS;
      put();
      if (!isLate) silent();
    }, ANSWER_MS);
    ask();
  };
  return {
    heard() {
      heardAt = Date.now();
      if (!isAsking) return;
      clearTimeout(timer);
      wait(QUIET_MS);
    },
    set(isOn) {
      if (isOn === (timer !== undefined)) return;
      clearTimeout(timer);
      timer = undefined;
      isAsking = false;
      if (isOn) put();
    },
  };
}
