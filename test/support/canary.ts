// Secrets that are made to be searched for: a canary must never be found where it does not belong.

import { randomBytes } from 'node:crypto';

/** A fresh secret that occurs nowhere else: `canary`, the label, 40 random hexadecimal digits. */
export function canary(label = 'secret'): string {
  return `canary${label.replaceAll(/[^a-z0-9]/gi, '')}${randomBytes(20).toString('hex')}`;
}

/** The forms in which a leaked value usually shows up, each with its name. */
function canaryForms(value: string): ReadonlyMap<string, string> {
  const bytes = Buffer.from(value);
  return new Map([
    ['plain', value],
    ['base64', bytes.toString('base64').replace(/=+$/, '')],
    ['base64url', bytes.toString('base64url')],
    ['hex', bytes.toString('hex')],
    ['reversed', [...value].toReversed().join('')],
    ['utf16', value.split('').join('\0')],
  ]);
}

/**
 * The forms of `value` that occur in `haystack`; empty means that it did not leak.
 * Base64 is also looked for at the other two alignments, as inside `user:secret`.
 */
export function findCanary(haystack: string | Uint8Array, value: string): readonly string[] {
  const text = typeof haystack === 'string' ? haystack : Buffer.from(haystack).toString('latin1');
  const found: string[] = [];
  for (const [form, needle] of canaryForms(value)) if (text.includes(needle)) found.push(form);
  for (const shift of [1, 2]) {
    // Without its first and last characters, which mix with the neighbours' bits.
    const needle = Buffer.from('x'.repeat(shift) + value)
      .toString('base64')
      .replace(/=+$/, '')
      .slice(4, -2);
    if (text.includes(needle)) found.push(`base64+${shift}`);
  }
  return found;
}
