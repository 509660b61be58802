// Octets of a head as a text: one character for each, as fields are kept.

/** So many arguments a call takes everywhere. */
const argumentsMax = 4096;

export function latin1Text(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at += argumentsMax) {
    // `apply` takes anything with a length and numbers in it; its type asks for an array.
    const codes = bytes.subarray(at, Math.min(end, at + argumentsMax)) as unknown as number[];
    text += String.fromCharCode.apply(undefined, codes);
  }
  return text;
}
