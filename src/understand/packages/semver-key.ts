// Texts that are in the order of their versions: a list of versions is sorted without reading each of them again and again.

/** Of a version that npm's order knows. Two versions that differ in their build alone have one key. */
export function semverKey(version: string): string {
  const [plain = ''] = version.split('+', 1);
  const dash = plain.indexOf('-');
  const numbers = (dash < 0 ? plain : plain.slice(0, dash)).split('.').map(numberKey).join('');
  // What is no release yet is before the release.
  if (dash < 0) return `${numbers}~`;
  const parts = plain.slice(dash + 1).split('.');
  return numbers + parts.map((one) => (/^\d+$/.test(one) ? `!${numberKey(one)}` : `#${one}\0`)).join('');
}

/** Of two numbers the one with more digits is the higher one; numbers of a version have at most 128 of them. */
const numberKey = (digits: string): string => String.fromCodePoint(0x100 + digits.length) + digits;
