/// <reference lib="esnext.disposable" preserve="true" />
// `using live = connect(…)`, where the runtime knows it.

/** `Symbol.dispose`, or elsewhere a symbol that nobody else has. */
export const dispose: typeof Symbol.dispose = /* @__PURE__ */ (() => Symbol.dispose ?? Symbol())() as typeof Symbol.dispose;
