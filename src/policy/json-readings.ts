// A body of JSON as conditions see it, in each way in which origins may read the names of its members.

import { foldedName, JsonObject, type JsonValue } from '../understand/json-value.ts';
import { isList } from '../understand/write-json.ts';
import type { ReadBody } from '../understand/read-body.ts';

/**
 * The body as it is written, and as origins read it that take names for the same which differ in letter case or in `_` alone (Go's
 * structs; protobuf's JSON). Undefined is a reading that nobody knows. Without a body there are no members. Nothing is copied: a condition
 * pays for what it looks at.
 */
export function jsonReadings(body: ReadBody | undefined, names: readonly string[]): readonly unknown[] {
  if (body === undefined || body.kind === 'unreadable' || body.kind === 'message') return [undefined];
  if (body.kind === 'none') return [new Map()];
  const meant = new Map(names.map((name) => [alikeName(name), name]));
  return [viewOf(body.value, undefined), viewOf(body.value, meant)];
}

/** The same for names that some origin takes for one. */
const alikeName = (name: string): string => foldedName(name).replaceAll('_', '');

type Meant = ReadonlyMap<string, string>;

function viewOf(value: JsonValue, meant: Meant | undefined): unknown {
  if (value instanceof JsonObject) return new MembersView(value, meant);
  return isList(value) ? value.map((item) => viewOf(item, meant)) : value;
}

/** Of objects that were looked at: their names by what they are alike to. */
const known = new WeakMap<JsonObject, ReadonlyMap<string, readonly string[]>>();

function alikeNames(object: JsonObject): ReadonlyMap<string, readonly string[]> {
  let names = known.get(object);
  if (names === undefined) {
    names = Map.groupBy(object.members.keys(), alikeName);
    known.set(object, names);
  }
  return names;
}

/** An object as a map. With `meant` a member has the name that a condition means by it; two with one name have no value (a fault). */
class MembersView extends Map<string, unknown> {
  readonly #object: JsonObject;
  readonly #meant: Meant | undefined;

  constructor(object: JsonObject, meant: Meant | undefined) {
    super();
    this.#object = object;
    this.#meant = meant;
  }

  override get size(): number {
    return this.#object.members.size;
  }

  override get(name: string): unknown {
    const written = this.#written(name);
    const value = written === undefined ? undefined : this.#object.members.get(written);
    return value === undefined ? undefined : viewOf(value, this.#meant);
  }

  override has(name: string): boolean {
    return this.#written(name) !== undefined;
  }

  override keys(): MapIterator<string> {
    return this.#names().values();
  }

  override values(): MapIterator<unknown> {
    return this.#names()
      .map((name) => this.get(name))
      .values();
  }

  override entries(): MapIterator<[string, unknown]> {
    return this.#names()
      .map((name): [string, unknown] => [name, this.get(name)])
      .values();
  }

  override [Symbol.iterator](): MapIterator<[string, unknown]> {
    return this.entries();
  }

  /** Under which name a member stands that is meant by this one. */
  #written(name: string): string | undefined {
    if (this.#meant?.get(alikeName(name)) !== name) return this.#object.members.has(name) ? name : undefined;
    const [first, second] = alikeNames(this.#object).get(alikeName(name)) ?? [];
    if (second !== undefined) throw new TypeError('two members are one to some origins');
    return first;
  }

  #names(): string[] {
    const { members } = this.#object;
    return [...members.keys()].map((name) => this.#meant?.get(alikeName(name)) ?? name);
  }
}

// What CEL takes for a map by what made it.
Object.defineProperty(MembersView.prototype, 'constructor', { value: Map });
