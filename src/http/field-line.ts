// A header field as it is written: one line, whatever its name and value are.

import { ProxyError } from '../protocol/error.ts';
import { printable } from './printable.ts';

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;

export function isToken(text: string): boolean {
  return token.test(text);
}

/** To be written as latin1. @throws ProxyError internal for what would be more than one field, or none */
export function fieldLine(name: string, value: string): string {
  if (!token.test(name) || !fieldValue.test(value)) throw unwritable(name);
  return `${name}: ${value}\r\n`;
}

/** The value may be a secret: only the name is told. */
export function unwritable(what: string): ProxyError {
  return new ProxyError('internal', `${printable(what)} cannot be written into a head`);
}
