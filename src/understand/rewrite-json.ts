// Named fields of a value of JSON, set, dropped or redacted.

import { isAlike, JsonObject, type JsonValue } from './json-value.ts';
import { isList } from './write-json.ts';

/** A path by its names: `*` is each member, or each item. */
export type FieldPath = readonly string[];

/** Plain data. */
export interface JsonRewrite {
  readonly set: readonly { readonly path: FieldPath; readonly value: string | number | boolean | null }[];
  readonly drop: readonly FieldPath[];
  readonly redact: readonly FieldPath[];
}

export interface RewrittenJson {
  readonly value: JsonValue;
  /** How many fields became others. */
  readonly changes: number;
}

const redacted = '[redacted]';
const each = '*';

/** What becomes of the fields that a path means. */
interface Edit {
  readonly kind: 'set' | 'drop' | 'redact';
  readonly to: JsonValue;
  changes: number;
}

/** In the order: dropped, redacted, set. A name is meant in every letter case in which some parser takes it for this one. */
export function rewriteJson(value: JsonValue, { set, drop, redact }: JsonRewrite): RewrittenJson {
  let current = value;
  let changes = 0;
  const run = (path: FieldPath, kind: Edit['kind'], to: JsonValue): void => {
    const edit: Edit = { kind, to, changes: 0 };
    current = edited(current, path, edit);
    changes += edit.changes;
  };
  for (const path of drop) run(path, 'drop', null);
  for (const path of redact) run(path, 'redact', redacted);
  for (const { path, value: to } of set) run(path, 'set', to);
  return { value: current, changes };
}

function edited(value: JsonValue, path: FieldPath, edit: Edit): JsonValue {
  if (value instanceof JsonObject) return editedObject(value, path, edit);
  return isList(value) ? editedList(value, path, edit) : value;
}

function editedObject(object: JsonObject, [name = '', ...rest]: FieldPath, edit: Edit): JsonObject {
  const members = new Map<string, JsonValue>();
  let isThere = false;
  for (const [own, member] of object.members) {
    if (name !== each && !isAlike(own, name)) members.set(own, member);
    else if (rest.length > 0) {
      isThere ||= own === name;
      members.set(own, edited(member, rest, edit));
    } else if (edit.kind === 'drop') edit.changes += 1;
    else if (edit.kind === 'set' && name !== each && own !== name) edit.changes += 1;
    else {
      isThere = true;
      if (member !== edit.to) edit.changes += 1;
      members.set(own, edit.to);
    }
  }
  if (edit.kind === 'set' && name !== each && !isThere) {
    if (rest.length === 0) edit.changes += 1;
    members.set(name, rest.length === 0 ? edit.to : edited(new JsonObject(new Map()), rest, edit));
  }
  return new JsonObject(members);
}

function editedList(list: readonly JsonValue[], [name = '', ...rest]: FieldPath, edit: Edit): JsonValue {
  return list.flatMap((item, at): readonly JsonValue[] => {
    if (name !== each && name !== String(at)) return [item];
    if (rest.length > 0) return [edited(item, rest, edit)];
    if (edit.kind !== 'drop' && item === edit.to) return [item];
    edit.changes += 1;
    return edit.kind === 'drop' ? [] : [edit.to];
  });
}
