// Numbers of any length, as they stand in versions.

/** Below 0: `a` is smaller. Both are digits and nothing else. */
export function compareDigits(a: string, b: string): number {
  const [one, other] = [withoutZeros(a), withoutZeros(b)];
  return one.length - other.length || compareText(one, other);
}

/** By code points. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const withoutZeros = (digits: string): string =>
  digits.startsWith('0') ? digits.replace(/^0+(?=\d)/, '') : digits;
