// Texts that are put together character by character: a string that grows piece by piece costs far more for each.

const ofOctets = new TextDecoder('latin1');
const ofUnits = new TextDecoder('utf-16le', { ignoreBOM: true });

/** The first `length` octets, all below 0x80, or UTF-16 code units without surrogates, as a text. */
export function codesText(codes: Uint8Array | Uint16Array, length: number): string {
  if (codes instanceof Uint8Array) return ofOctets.decode(codes.subarray(0, length));
  return ofUnits.decode(new Uint8Array(codes.buffer, codes.byteOffset, 2 * length));
}

const hexDigits = [...'0123456789ABCDEF'].map((digit) => digit.charCodeAt(0));
const percent = 0x25;

/** Writes `%XX` and gives where it ends. */
export function writeEncoded(octets: Uint8Array | Uint16Array, at: number, octet: number): number {
  octets[at] = percent;
  octets[at + 1] = hexDigits[octet >> 4] ?? 0;
  octets[at + 2] = hexDigits[octet & 15] ?? 0;
  return at + 3;
}
