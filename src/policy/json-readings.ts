// A body of JSON as conditions see it, in each way in which origins may read the names of its members.

import { foldedName, JsonObject, type JsonValue } from '../understand/json-value.ts';
import type { ReadBody } from '../understand/read-body.ts';

/**
 * The body as it is written and, where it has a name that differs from one of `names` in letter case alone, as origins read it
 * that ignore letter case. Undefined is a reading that nobody knows: of no JSON, or with a member that would then stand twice.
 * Without a body there are no members.
 */
export function jsonReadings(body: ReadBody | undefined, names: readonly string[]): readonly unknown[] {
  if (body === undefined || body.kind === 'unreadable' || body.kind === 'message') return [undefined];
  if (body.kind === 'none') return [new Map()];
  const seen = readingsOf(body.value);
  const written = (seen.written ??= viewOf(body.value, undefined));
  const meant = new Map(names.map((name) => [foldedName(name), name]));
  const differs = [...meant].some(([folded, name]) =>
    [...(seen.spellings.get(folded) ?? [])].some((spelling) => spelling !== name),
  );
  return differs ? [written, viewOf(body.value, meant)] : [written];
}

interface Seen {
  written?: unknown;
  /** By folded name, how it is spelled. */
  readonly spellings: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Of bodies that are decided about; many conditions ask for the same ones. */
const known = new WeakMap<object, Seen>();

function readingsOf(value: JsonValue): Seen {
  // A value that is no object has no names.
  if (typeof value !== 'object' || value === null) return { spellings: new Map() };
  let seen = known.get(value);
  if (seen === undefined) {
    const spellings = new Map<string, Set<string>>();
    collect(value, spellings);
    seen = { spellings };
    known.set(value, seen);
  }
  return seen;
}

function collect(value: JsonValue, spellings: Map<string, Set<string>>): void {
  if (value instanceof JsonObject) {
    for (const [name, member] of value.members) {
      const folded = foldedName(name);
      const spelled = spellings.get(folded) ?? new Set();
      spellings.set(folded, spelled.add(name));
      collect(member, spellings);
    }
  } else if (isList(value)) for (const item of value) collect(item, spellings);
}

/** `meant`: by folded name, the spelling to give it. Undefined where two members are the same one then. */
function viewOf(value: JsonValue, meant: ReadonlyMap<string, string> | undefined): unknown {
  if (value instanceof JsonObject) {
    const members = new Map<string, unknown>();
    for (const [name, member] of value.members) {
      const spelled = meant?.get(foldedName(name)) ?? name;
      const view = viewOf(member, meant);
      if (members.has(spelled) || view === undefined) return undefined;
      members.set(spelled, view);
    }
    return members;
  }
  if (!isList(value)) return value;
  const items = value.map((item) => viewOf(item, meant));
  return items.includes(undefined) ? undefined : items;
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
