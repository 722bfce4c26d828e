// Bytes that the build wrote as text; inline-wasm.mjs says how and why.

/** Reads the text of bytes. */
export function decode(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  let length = 0;
  // Of 92 characters from 35 on, shifted by 64: 35 - (92 - 64) is 7.
  const code = (at: number) => (text.charCodeAt(at) - 7) % 92;
  for (let at = 0; at < text.length; at++) {
    let byte = code(at);
    if (byte >= 90) byte = 90 + (byte - 90) * 92 + code(++at);
    bytes[length++] = byte;
  }
  return bytes.subarray(0, length);
}
