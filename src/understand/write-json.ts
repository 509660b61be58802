// JSON as it was read: every number has its own text, and every member its place.

import { InexactNumber, JsonObject, type JsonValue } from './json-value.ts';

/** The text of a value that was read. */
export function writeJson(value: JsonValue): string {
  if (value instanceof JsonObject) {
    const members = [...value.members].map(
      ([name, member]) => `${JSON.stringify(name)}:${writeJson(member)}`,
    );
    return `{${members.join(',')}}`;
  }
  if (isList(value)) return `[${value.map(writeJson).join(',')}]`;
  return value instanceof InexactNumber ? value.text : JSON.stringify(value);
}

export function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}
