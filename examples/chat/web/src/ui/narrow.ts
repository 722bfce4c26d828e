// Whether the page is too narrow for the rooms to stand beside the messages. The style sheets have
// the same number.

import { useSyncExternalStore } from "react";

const query = matchMedia("(max-width: 759px)");

function subscribe(listener: () => void): () => void {
  query.addEventListener("change", listener);
  return () => query.removeEventListener("change", listener);
}

export const useIsNarrow = (): boolean => useSyncExternalStore(subscribe, () => query.matches);
