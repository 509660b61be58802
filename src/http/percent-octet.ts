// Percent-encoding (RFC 3986 §2.1), octet by octet.

/** The value of two hex digits; undefined if there are none. */
export function octetAt(text: string, at: number): number | undefined {
  const high = hexValue(text.charCodeAt(at));
  const low = hexValue(text.charCodeAt(at + 1));
  return high < 0 || low < 0 ? undefined : high * 16 + low;
}

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** RFC 3986 §2.3. */
export function isUnreserved(octet: number): boolean {
  const lower = octet | 0x20;
  if ((lower >= 0x61 && lower <= 0x7a && octet >= 0x41 && octet < 0x80) || (octet >= 0x30 && octet <= 0x39))
    return true;
  return octet === 0x2d || octet === 0x2e || octet === 0x5f || octet === 0x7e;
}

export function encodeOctet(octet: number): string {
  return `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
}
