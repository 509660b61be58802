// Versions of gems, as Gem::Version orders them.

import { compareDigits, compareText } from './digit-order.ts';

/** A dash, which `gem` takes for `.pre.`, stands before the platform in the name of a file: it is none of a version here. */
const form = /^\d+(?:\.[0-9A-Za-z]+)*$/;

export const isRubygemsVersion = (text: string): boolean => form.test(text);

/** Letters are before numbers: 1.0.rc1 is before 1.0. */
export function compareRubygems(one: readonly string[], other: readonly string[]): number {
  for (let i = 0; i < Math.max(one.length, other.length); i++) {
    const [left, right] = [one[i] ?? '0', other[i] ?? '0'];
    const [leftNumber, rightNumber] = [/^\d/.test(left), /^\d/.test(right)];
    if (leftNumber !== rightNumber) return leftNumber ? 1 : -1;
    const order = leftNumber ? compareDigits(left, right) : compareText(left, right);
    if (order !== 0) return order;
  }
  return 0;
}

/** Of a version its parts, without zeros at the end of the numbers, and before the first letters. */
export function readRubygems(version: string): readonly string[] {
  const parts = version.match(/\d+|[A-Za-z]+/g) ?? [];
  const letters = parts.findIndex((part) => /^[A-Za-z]/.test(part));
  const at = letters < 0 ? parts.length : letters;
  return [...withoutZerosAtEnd(parts.slice(0, at)), ...withoutZerosAtEnd(parts.slice(at))];
}

function withoutZerosAtEnd(parts: readonly string[]): readonly string[] {
  return parts.slice(0, parts.findLastIndex((part) => !/^0+$/.test(part)) + 1);
}
