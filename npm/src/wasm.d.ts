// The core's module, which the build inlines.
declare module "*.wasm" {
  /** The module's bytes, for `decode`. */
  const text: string;
  export default text;
}
