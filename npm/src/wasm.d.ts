// The core's module, which the build inlines.
declare module "*.wasm" {
  /** The module's bytes, for `decode`. */
  const text: string;
  export default text;
}
// The same as JavaScript.
declare module "*.wasm2js" {
  /** Makes the module's exports. */
  const make: () => object;
  export default make;
}
