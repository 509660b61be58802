// Syntax of header fields (RFC 9110 §5), the same for requests, responses and trailers.

import { ProxyError } from '../protocol/error.ts';
import type { ErrorCode } from '../protocol/error-table.ts';
import { HeaderList, type HeaderField } from './header-list.ts';
import { knownName } from './known-names.ts';
import { printable } from './printable.ts';

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;

export interface FieldRules {
  /** Code of the error for a field that breaks the syntax or a limit of the count. */
  readonly malformed: ErrorCode;
  readonly tooLarge: ErrorCode;
  readonly countMax: number;
  /** Names and values with four bytes a field for colon, space and line end. */
  readonly bytesMax: number;
  /** HTTP/2 (RFC 9113 §8.2): a name with an upper-case letter is malformed. */
  readonly lowerCaseNames: boolean;
}

/**
 * Turns Node's `rawHeaders` into a checked list: token names, values without control characters, spaces around
 * values removed. Bytes above 0x7F stay as latin1. Throws the codes of `rules`.
 */
export function parseFields(raw: readonly string[], rules: FieldRules): HeaderList {
  if (raw.length % 2 !== 0) throw new ProxyError(rules.malformed, 'A header field has a name and no value.');
  if (raw.length / 2 > rules.countMax) {
    throw new ProxyError(rules.tooLarge, `There are more than ${rules.countMax} header fields.`, {
      limit: 'headersCountMax',
    });
  }
  const fields: HeaderField[] = [];
  const lowerCaseNames: string[] = [];
  let bytes = 0;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name, value] = [raw[i] ?? '', raw[i + 1] ?? ''];
    bytes += name.length + value.length + 4;
    if (bytes > rules.bytesMax) {
      throw new ProxyError(rules.tooLarge, `The header fields are larger than ${rules.bytesMax} bytes.`, {
        limit: 'headBytesMax',
      });
    }
    lowerCaseNames.push(checkName(name, rules));
    fields.push([name, checkValue(name, value, rules)]);
  }
  return HeaderList.of(fields, lowerCaseNames);
}

/** The members of a comma-separated field over all its lines, in lower case, empty ones left out. */
export function listMembers(fields: HeaderList, name: string): readonly string[] {
  const values = fields.all(name);
  // Most lists are asked for and absent.
  if (values.length === 0) return values;
  return values
    .flatMap((value) => value.split(','))
    .map((member) => member.trim().toLowerCase())
    .filter((member) => member !== '');
}

/** Gives the name in lower case. */
function checkName(name: string, rules: FieldRules): string {
  const known = rules.lowerCaseNames ? undefined : knownName(name);
  if (known !== undefined) return known.lowerCase;
  if (!token.test(name)) {
    throw new ProxyError(rules.malformed, `The header field name ${printable(name)} is not a token.`);
  }
  const lowerCase = name.toLowerCase();
  if (rules.lowerCaseNames && name !== lowerCase) {
    throw new ProxyError(
      rules.malformed,
      `The field name ${printable(name)} has upper-case letters, HTTP/2 forbids it.`,
    );
  }
  return lowerCase;
}

function checkValue(name: string, value: string, rules: FieldRules): string {
  // No CR and LF means no folded line either; a character beyond a byte could become one of them in latin1.
  if (!fieldValue.test(value)) {
    throw new ProxyError(
      rules.malformed,
      `The header field ${printable(name)} has a control character in its value.`,
    );
  }
  let [start, end] = [0, value.length];
  while (start < end && isBlank(value.charCodeAt(start))) start += 1;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end -= 1;
  return value.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
