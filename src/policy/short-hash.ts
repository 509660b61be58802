// A short fingerprint of a policy's text, to tell versions apart in the audit. It is not a defence against forgery.

/** FNV-1a over the UTF-16 code units of the texts, 64 bits as two halves of 32, in hex. */
export function shortHash(texts: readonly string[]): string {
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  for (const text of texts) {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      low = Math.imul(low ^ code, 0x01000193);
      high = Math.imul(high ^ ((code << 7) | (code >> 9)), 0x01000193);
    }
    // A separator that no text can hold, so that moving text between files changes the hash.
    low = Math.imul(low ^ 0x10000, 0x01000193);
    high = Math.imul(high ^ 0x10000, 0x01000193);
  }
  const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, '0');
  return `${hex(high)}${hex(low)}`;
}
