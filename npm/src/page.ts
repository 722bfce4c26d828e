// When a page that slept, or was offline, may be live again.

/** Calls `wake` when the page is shown or the network comes back, until the returned function is called. */
export function watchPage(wake: () => void): () => void {
  const { document } = globalThis as { document?: Document };
  const shown = () => {
    if (document?.visibilityState !== "hidden") wake();
  };
  const sources: [EventTarget | undefined, string][] = [
    [globalThis as unknown as EventTarget, "online"],
    [globalThis as unknown as EventTarget, "pageshow"],
    [document, "visibilitychange"],
    // A page that was frozen while it was shown.
    [document, "resume"],
  ];
  // Node has neither a document nor events of its global object.
  for (const [target, name] of sources) target?.addEventListener?.(name, shown);
  return () => {
    for (const [target, name] of sources) target?.removeEventListener?.(name, shown);
  };
}
