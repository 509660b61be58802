// Items of structured fields (RFC 9651 §4.1) as they are written: what a signature needs, in the one form that there is of each.

import type { Buffer } from 'node:buffer';

/** A string is text, an integer a number, octets a buffer. */
export type StructuredItem = string | number | Buffer;
export type StructuredParameters = readonly (readonly [key: string, value: StructuredItem])[];

/** @throws RangeError for what cannot be written */
export function structuredItem(item: StructuredItem): string {
  if (typeof item === 'string') return structuredString(item);
  if (typeof item !== 'number') return `:${item.toString('base64')}:`;
  // Of 15 digits at most (RFC 9651 §3.3.1).
  if (!Number.isInteger(item) || Math.abs(item) > 999_999_999_999_999)
    throw new RangeError('it is not an integer of a structured field');
  return String(item);
}

/** `;key=value` of each. */
export function structuredParameters(parameters: StructuredParameters): string {
  return parameters.map(([key, value]) => `;${key}=${structuredItem(value)}`).join('');
}

/** Items that are written already, as one list. */
export function innerList(items: readonly string[], parameters: StructuredParameters): string {
  return `(${items.join(' ')})${structuredParameters(parameters)}`;
}

function structuredString(text: string): string {
  if (!/^[\x20-\x7e]*$/.test(text)) throw new RangeError('a string of a structured field is printable ASCII');
  return `"${text.replace(/["\\]/g, (found) => `\\${found}`)}"`;
}
