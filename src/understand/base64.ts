// Base64 as every decoder takes it: whole groups, padded, with no bit left over. Without Node, as all of this folder.

const digits = new Map(
  [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/']
    .entries()
    .map(([at, one]) => [one, at]),
);

/** Undefined: it is none, or one that decoders take differently. Linear. */
export function octetsOfBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const end = text.endsWith('==') ? text.length - 2 : text.endsWith('=') ? text.length - 1 : text.length;
  const octets = new Uint8Array(Math.floor((end * 3) / 4));
  let [bits, count, at] = [0, 0, 0];
  for (let from = 0; from < end; from += 1) {
    const digit = digits.get(text.charAt(from));
    if (digit === undefined) return undefined;
    bits = ((bits << 6) | digit) & 0xffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    octets[at++] = (bits >> count) & 0xff;
  }
  return (bits & ((1 << count) - 1)) === 0 ? octets : undefined;
}
