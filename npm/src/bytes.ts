// Bytes that the build wrote as text; inline-wasm.mjs says how and why.

/** Reads the text of bytes. */
export function decode(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    let byte = text.charCodeAt(at) - 35;
    if (byte >= 90) byte = 90 + (byte - 90) * 92 + text.charCodeAt(++at) - 35;
    bytes[length++] = byte;
  }
  return bytes.subarray(0, length);
}
