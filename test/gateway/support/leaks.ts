// Values that may not leave, and how they are written.

import type { LeakSought } from '../../../src/gateway/leaks/leak-search.ts';
import { buildLeakTable, type LeakOwner } from '../../../src/gateway/leaks/leak-table.ts';

/** Of one credential each, by its name. */
export function soughtFor(
  values: Readonly<Record<string, string>>,
  kind: LeakOwner['kind'] = 'credential',
): LeakSought {
  const owned = Object.entries(values).map(([name, value]) => ({ owner: { kind, name }, value }));
  const table = buildLeakTable(owned, 64 * 1024 * 1024);
  if (table === undefined) throw new Error('the values are too long');
  return {
    table,
    kinds: new Set(['credential', 'canary', 'shape']),
    own: new Set(),
    allowed: new Set(),
    placeholders: [],
  };
}

export const sample = {
  token: 'tok_9fJ2kQ7wZr4LmX8vBn3TyHs6',
  password: 'p&ss"w<o>r\'d(/+=) \\x`!k7Q',
  hex: '3f9a61c0d8e24b75a1b2c3d4e5f60718',
  other: 'another-value-0123456789-abc',
} as const;

const jsonText = (text: string): string => JSON.stringify(text).slice(1, -1);
const octetsOf = (text: string): readonly number[] => [...Buffer.from(text)];
const inHex = (text: string, before: string): string =>
  octetsOf(text)
    .map((octet) => `${before}${octet.toString(16).padStart(2, '0')}`)
    .join('');
const base64 = (text: string): string => Buffer.from(text).toString('base64');

function base32(text: string): string {
  const bits = octetsOf(text)
    .map((octet) => octet.toString(2).padStart(8, '0'))
    .join('');
  return (bits.match(/.{1,5}/g) ?? [])
    .map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(five.padEnd(5, '0'), 2)])
    .join('');
}

/** Every form in which a value is found, by how it is written. */
export function formsOfValue(value: string): Readonly<Record<string, string>> {
  return {
    'it is': value,
    JSON: jsonText(value),
    'JSON of PHP': jsonText(value).replaceAll('/', '\\/'),
    'a query': encodeURIComponent(value),
    'a form': new URLSearchParams({ x: value }).toString().slice(2),
    'octets that are all percent-encoded': inHex(value, '%'),
    'octets that JSON escapes': inHex(value, '\\u00'),
    'octets that C escapes': inHex(value, '\\x'),
    'references of HTML': octetsOf(value)
      .map((octet) => `&#x${octet.toString(16)};`)
      .join(''),
    'a list of octets': JSON.stringify(octetsOf(value)),
    hex: Buffer.from(value).toString('hex'),
    'hex in upper case': Buffer.from(value).toString('hex').toUpperCase(),
    'hex with colons': inHex(value, ':').slice(1),
    Base64: base64(value),
    'Base64 behind one octet': base64(`u${value}`),
    'Base64 behind two octets': base64(`u:${value}`),
    'Base64 before others': base64(`${value}!}`),
    Base64url: Buffer.from(value).toString('base64url'),
    'Base64 in lines': base64(`some text that comes before it: ${value}`).replaceAll(/.{20}/g, '$&\r\n'),
    'Base64 in a query': encodeURIComponent(base64(value)),
    'Base64 of Base64': base64(base64(value)),
    'Base64 of Base64 of a document': base64(`x: ${base64(`{"a":"${value}"}`)}`),
    'Base64 of hex': base64(Buffer.from(value).toString('hex')),
    Base32: base32(value),
    'Base32 behind two octets': base32(`u:${value}`),
  };
}
