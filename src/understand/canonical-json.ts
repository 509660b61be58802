// JSON in its canonical form (RFC 8785), so that one value has one text whoever wrote it.

import { InexactNumber, JsonObject, type JsonValue } from './json-value.ts';
import { isList } from './write-json.ts';

/**
 * Members in the order of their UTF-16 code units, no blanks, numbers as ECMAScript writes them. A number that no double is
 * has no canonical form in the RFC; here it keeps its own text, so that another one is another value.
 */
export function canonicalJson(value: JsonValue): string {
  if (value instanceof JsonObject) {
    const names = [...value.members.keys()].toSorted(byCodeUnits);
    const members = names.map(
      (name) => `${JSON.stringify(name)}:${canonicalJson(value.members.get(name) ?? null)}`,
    );
    return `{${members.join(',')}}`;
  }
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`;
  return value instanceof InexactNumber ? value.text : JSON.stringify(value);
}

function byCodeUnits(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
