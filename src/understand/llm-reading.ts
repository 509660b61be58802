// What the readers of bodies of services of models have in common.

import { foldedName, JsonObject, type JsonValue, memberOf, shownName, UnreadableBody } from './json-value.ts';
import { isList } from './write-json.ts';

export interface LlmTool {
  /** Of a tool of the service: its type. */
  readonly name: string;
  /** The service runs it, for a price of its own, and the model reads what it gives. */
  readonly isOfService: boolean;
}

/** Thrown inside of the readers of bodies alone. */
export class LlmFault extends Error {}

/** What is collected of one body. */
export class LlmReading {
  readonly unbounded = new Set<string>();
  readonly tools: LlmTool[] = [];
  items = 0;

  /**
   * Members by the names that the API has. A name that another reader takes for one of them is refused; `isProto`: both spellings of
   * protobuf's JSON are one name. What is not known is not bounded; null is as if it were not there.
   */
  members(
    value: JsonValue | undefined,
    known: ReadonlySet<string>,
    { what, isProto = false }: { readonly what: string; readonly isProto?: boolean },
  ): ReadonlyMap<string, JsonValue> {
    if (!(value instanceof JsonObject)) throw new LlmFault(`has ${what} that is no object`);
    const found = new Map<string, JsonValue>();
    for (const [name, member] of value.members) {
      const meant = known.has(name) ? name : alikeIn(known, name);
      if (meant === undefined) {
        if (member !== null) this.unbounded.add(name);
        continue;
      }
      if (name !== meant && !(isProto && name === snakeCase(meant)))
        throw new LlmFault(`has ${shownName(name)}, which some services take for ${shownName(meant)}`);
      if (found.has(meant)) throw new LlmFault(`has ${shownName(meant)} a second time`);
      found.set(meant, member);
    }
    for (const [name, member] of found) if (member === null) found.delete(name);
    return found;
  }

  /** The items of a list, each of which is counted; absent: none. */
  list(value: JsonValue | undefined, what: string): readonly JsonValue[] {
    if (value === undefined) return [];
    if (!isList(value)) throw new LlmFault(`has ${what} that are no list`);
    this.items += value.length;
    return value;
  }
}

const alike = new WeakMap<ReadonlySet<string>, ReadonlyMap<string, string>>();

function alikeIn(known: ReadonlySet<string>, name: string): string | undefined {
  // No name of an API is as long, and folding costs what its text is long.
  if (name.length > 200) return undefined;
  let folded = alike.get(known);
  if (folded === undefined) {
    folded = new Map([...known].map((one) => [plainName(one), one]));
    alike.set(known, folded);
  }
  return folded.get(plainName(name));
}

const plainName = (name: string): string => foldedName(name).replaceAll('_', '');
const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export function textOf(value: JsonValue | undefined, what: string): string {
  if (typeof value !== 'string') throw new LlmFault(`has ${what} that is no text`);
  return value;
}

/** A member of an object whose other members are not looked at. */
export function memberIn(value: JsonValue | undefined, name: string, what: string): JsonValue | undefined {
  if (!(value instanceof JsonObject)) throw new LlmFault(`has ${what} that is no object`);
  const member = memberOf(value, name);
  if (member instanceof UnreadableBody) throw new LlmFault(member.reason);
  return member ?? undefined;
}
