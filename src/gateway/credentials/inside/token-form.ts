// A form (application/x-www-form-urlencoded) that all readers read alike: every name once, names and values in UTF-8, nothing that some take apart.

import { Buffer } from 'node:buffer';
import { UnreadableBody } from '../../../understand/json-value.ts';

export type FormFields = ReadonlyMap<string, string>;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** What stands in an encoded form (RFC 3986 §2, and `+`); a semicolon separates for some readers. */
const encodedPattern = /^[A-Za-z0-9\-._~!$'()*,:@/?+%]*$/;
/** A bracket or a dot makes variables of PHP of a name. */
const namePattern = /^[A-Za-z0-9_:-]{1,64}$/;

export function readForm(octets: Uint8Array, fieldsMax: number): FormFields | UnreadableBody {
  let text: string;
  try {
    text = decoder.decode(octets);
  } catch {
    return new UnreadableBody('is not UTF-8');
  }
  const fields = new Map<string, string>();
  if (text === '') return fields;
  const parts = text.split('&');
  if (parts.length > fieldsMax) return new UnreadableBody(`has more than ${String(fieldsMax)} fields`);
  for (const part of parts) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? undefined : decodedText(part.slice(0, equals));
    const value = equals < 0 ? undefined : decodedText(part.slice(equals + 1));
    if (name === undefined || value === undefined || !namePattern.test(name))
      return new UnreadableBody('is not a form that all readers read alike');
    if (fields.has(name)) return new UnreadableBody(`has the field ${JSON.stringify(name)} a second time`);
    // Readers that ignore its letter case, or make one name of another, would see it twice.
    if ([...fields.keys()].some((other) => variableOf(other) === variableOf(name)))
      return new UnreadableBody(`has the field ${JSON.stringify(name)} a second time for some readers`);
    fields.set(name, value);
  }
  return fields;
}

function writeForm(fields: FormFields): string {
  return [...fields].map(([name, value]) => `${encodeText(name)}=${encodeText(value)}`).join('&');
}

/** As a form has it: a space is a plus. */
export function encodeText(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Undefined for what readers decode in more than one way. */
export function decodedText(text: string): string | undefined {
  if (!encodedPattern.test(text)) return undefined;
  try {
    const plain = decodeURIComponent(text.replaceAll('+', ' '));
    return plain.includes('\0') ? undefined : plain;
  } catch {
    return undefined;
  }
}

function variableOf(name: string): string {
  return name.toLowerCase().replaceAll(/[:-]/g, '_');
}

/** Octets of a form as they are sent. */
export function formOctets(fields: FormFields): Buffer {
  return Buffer.from(writeForm(fields));
}
