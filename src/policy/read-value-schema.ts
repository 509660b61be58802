// JSON Schema (2020-12) of what a tool may be called with, as an operator writes it, to what values are checked by. It is a closed subset: a keyword
// that would be read and not checked is refused, and so is what no check in bounded time could hold.

import { defaultLimits } from '../protocol/limits.ts';
import { foldedName } from '../understand/json-value.ts';
import type { ValueSchema, PlainJson, SchemaType } from './value-schema.ts';
import { LinearPattern } from './linear-pattern.ts';

type Draft = { -readonly [Key in keyof ValueSchema]: ValueSchema[Key] };
type Path = readonly (string | number)[];
export type SchemaReport = (path: Path, message: string, severity?: 'warning') => void;

/** Schemas that were compiled, by what was written: rules are plain data, and are copied between threads. */
const compiled = new WeakMap<object, ValueSchema>();

/** The schema of a rule that was found sound. */
export function valueSchema(document: object): ValueSchema {
  let schema = compiled.get(document);
  if (schema === undefined) {
    schema = compileSchema(document, () => undefined);
    compiled.set(document, schema);
  }
  return schema;
}

/** Problems go to `report`; the result is of use only if none was an error. */
export function compileSchema(document: unknown, report: SchemaReport): ValueSchema {
  return new SchemaReader(document, report).read();
}

/** They say something to people, or to other programs. */
const annotations: ReadonlySet<string> = new Set([
  '$comment',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
]);

const dialects: ReadonlySet<unknown> = new Set([
  'https://json-schema.org/draft/2020-12/schema',
  'https://json-schema.org/draft/2019-09/schema',
  'http://json-schema.org/draft-07/schema#',
  'http://json-schema.org/draft-07/schema',
]);

/** Why a keyword is refused, where more can be said than that it is not known. */
const remedies: Readonly<Record<string, string>> = {
  format: 'what a format means is checked by few; write a pattern, or remove it',
  additionalItems: 'write prefixItems for the first items, and items for the others',
  dependencies: 'write dependentRequired, or if and then',
  $id: 'a schema here has no address; remove it',
  $dynamicRef: 'write $ref',
  unevaluatedProperties: 'write additionalProperties beside the properties',
  unevaluatedItems: 'write items beside prefixItems',
};

const typeNames: ReadonlySet<unknown> = new Set<SchemaType>([
  'null',
  'boolean',
  'integer',
  'number',
  'string',
  'array',
  'object',
]);

class SchemaReader {
  readonly #document: unknown;
  readonly #report: SchemaReport;
  /** By where they stand: `#` and `#/$defs/name`. */
  readonly #named = new Map<string, Draft>();
  readonly #references: { readonly from: Draft; readonly to: string; readonly path: Path }[] = [];
  readonly #all: Draft[] = [];

  constructor(document: unknown, report: SchemaReport) {
    this.#document = document;
    this.#report = report;
  }

  read(): ValueSchema {
    const root = this.#schema(this.#document, []);
    this.#named.set('#', root);
    for (const { from, to, path } of this.#references) {
      const found = this.#named.get(to);
      if (found === undefined)
        this.#report(
          path,
          `${JSON.stringify(to)} leads nowhere; write # or #/$defs/NAME, of the same schema`,
        );
      else from.same = found;
    }
    if (this.#all.some((one) => isWithinItself(one)))
      this.#report(
        [],
        'a schema is made of itself, so that no check of it ends; refer to it from below a property or an item',
      );
    return root;
  }

  #schema(value: unknown, path: Path): Draft {
    const draft: Draft = {};
    this.#all.push(draft);
    if (this.#all.length > defaultLimits.schemaNodesMax) {
      if (this.#all.length === defaultLimits.schemaNodesMax + 1)
        this.#report(
          path,
          `there are more than ${String(defaultLimits.schemaNodesMax)} schemas in it (schemaNodesMax)`,
        );
      return draft;
    }
    if (value === false) draft.isNever = true;
    if (typeof value === 'boolean') return draft;
    if (!isMap(value)) {
      this.#report(path, 'write a schema as a map, such as { type: string }, or true or false');
      return draft;
    }
    for (const [key, one] of Object.entries(value)) this.#keyword(draft, key, one, [...path, key]);
    if (draft.then !== undefined || draft.else !== undefined)
      if (draft.if === undefined) this.#report(path, '"then" and "else" say nothing without "if"');
    draft.named = namedBy(draft);
    return draft;
  }

  #keyword(draft: Draft, key: string, value: unknown, path: Path): void {
    if (annotations.has(key) || key.startsWith('x-')) return;
    switch (key) {
      case 'type':
        draft.types = new Set(
          this.#list(value, path, typeNames, 'a type such as string or integer') as SchemaType[],
        );
        return;
      case 'enum':
      case 'const':
        draft.values = this.#values(draft, key, value, path);
        return;
      case 'pattern':
        draft.pattern = this.#pattern(value, path);
        return;
      case 'minLength':
      case 'maxLength':
      case 'minItems':
      case 'maxItems':
      case 'minContains':
      case 'maxContains':
      case 'minProperties':
      case 'maxProperties':
        draft[key] = this.#number(value, path, true);
        return;
      case 'multipleOf':
        draft.multipleOf = this.#number(value, path, true);
        if (draft.multipleOf === 0) this.#report(path, 'write a whole number from 1');
        return;
      case 'minimum':
      case 'maximum':
      case 'exclusiveMinimum':
      case 'exclusiveMaximum':
        draft[key] = this.#number(value, path, false);
        return;
      case 'uniqueItems':
        if (typeof value !== 'boolean') this.#report(path, 'write true or false');
        draft.uniqueItems = value === true;
        return;
      case 'items':
      case 'contains':
      case 'additionalProperties':
      case 'propertyNames':
      case 'not':
      case 'if':
      case 'then':
      case 'else':
        draft[key] = this.#schema(value, path);
        return;
      case 'prefixItems':
      case 'allOf':
      case 'anyOf':
      case 'oneOf':
        draft[key] = this.#schemas(value, path);
        return;
      default:
        this.#ofNames(draft, key, value, path);
    }
  }

  /** Keywords whose values are maps or lists of names, and those that are about schemas. */
  #ofNames(draft: Draft, key: string, value: unknown, path: Path): void {
    switch (key) {
      case 'properties':
        draft.properties = new Map(this.#map(value, path));
        return;
      case 'patternProperties':
        draft.patternProperties = this.#map(value, path).flatMap(([name, schema]) => {
          const pattern = this.#pattern(name, [...path, name]);
          return pattern === undefined ? [] : [[pattern, schema] as const];
        });
        return;
      case 'required':
        draft.required = this.#list(value, path, undefined, 'names of properties') as string[];
        return;
      case 'dependentRequired':
        if (!isMap(value)) this.#report(path, 'write a map of names to lists of names');
        else
          draft.dependentRequired = new Map(
            Object.entries(value).map(([name, names]) => [
              name,
              this.#list(names, [...path, name], undefined, 'names of properties') as string[],
            ]),
          );
        return;
      case '$defs':
      case 'definitions':
        for (const [name, schema] of this.#map(value, path))
          if (path.length === 1) this.#named.set(`#/${key}/${pointerText(name)}`, schema);
        return;
      case '$ref':
        if (typeof value === 'string') this.#references.push({ from: draft, to: value, path });
        else this.#report(path, 'write # or #/$defs/NAME');
        return;
      case '$schema':
        if (!dialects.has(value)) this.#report(path, 'a schema here is of JSON Schema 2020-12; remove it');
        return;
      default:
        this.#report(
          path,
          `${JSON.stringify(key)} is not checked here, so nothing may depend on it: ${remedies[key] ?? 'remove it'}`,
        );
    }
  }

  #schemas(value: unknown, path: Path): readonly Draft[] {
    if (Array.isArray(value) && value.length > 0)
      return value.map((one, i) => this.#schema(one, [...path, i]));
    this.#report(path, 'write a list of schemas');
    return [];
  }

  #map(value: unknown, path: Path): readonly (readonly [string, Draft])[] {
    if (isMap(value))
      return Object.entries(value).map(([name, one]) => [name, this.#schema(one, [...path, name])] as const);
    this.#report(path, 'write a map of names to schemas');
    return [];
  }

  #list(
    value: unknown,
    path: Path,
    known: ReadonlySet<unknown> | undefined,
    what: string,
  ): readonly unknown[] {
    const list: readonly unknown[] = Array.isArray(value)
      ? value
      : known === undefined
        ? [undefined]
        : [value];
    const isGood = list.every((one) => (known === undefined ? typeof one === 'string' : known.has(one)));
    if (!isGood) this.#report(path, `write ${what}, or a list of them`);
    return isGood ? list : [];
  }

  #number(value: unknown, path: Path, isCount: boolean): number {
    const isGood =
      typeof value === 'number' && (isCount ? Number.isSafeInteger(value) && value >= 0 : isExact(value));
    if (!isGood)
      this.#report(path, isCount ? 'write a whole number' : 'write a number that every parser reads alike');
    return isGood ? value : 0;
  }

  #values(draft: Draft, key: string, value: unknown, path: Path): readonly PlainJson[] {
    const list: readonly unknown[] = key === 'const' ? [value] : Array.isArray(value) ? value : [];
    if (list.length === 0 || !list.every(isPlain))
      this.#report(path, 'write values of JSON, with numbers that every parser reads alike');
    if (draft.values !== undefined) this.#report(path, '"enum" and "const" say the same; write one of them');
    return list.filter(isPlain);
  }

  #pattern(value: unknown, path: Path): LinearPattern | undefined {
    const pattern = typeof value === 'string' ? LinearPattern.parse(value) : 'is no text';
    if (typeof pattern !== 'string') {
      if (!pattern.isAnchored)
        this.#report(
          path,
          'the pattern is found anywhere in the text; write ^ at its beginning and $ at its end',
          'warning',
        );
      return pattern;
    }
    this.#report(path, `the pattern ${pattern}`);
    return undefined;
  }
}

function namedBy({
  properties,
  required,
  dependentRequired,
}: Draft): ReadonlyMap<string, ReadonlySet<string>> | undefined {
  const names = [
    ...(properties?.keys() ?? []),
    ...(required ?? []),
    ...(dependentRequired?.keys() ?? []),
    ...[...(dependentRequired?.values() ?? [])].flat(),
  ];
  if (names.length === 0) return undefined;
  return new Map([...Map.groupBy(names, foldedName)].map(([folded, alike]) => [folded, new Set(alike)]));
}

/** Whether it is reached from itself without going into a value, so that a check would never end. */
function isWithinItself(schema: ValueSchema): boolean {
  const seen = new Set<ValueSchema>();
  const waiting = besides(schema);
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    if (one === schema) return true;
    if (seen.has(one)) continue;
    seen.add(one);
    waiting.push(...besides(one));
  }
  return false;
}

/** Schemas that are asked about the same value. */
function besides({
  allOf = [],
  anyOf = [],
  oneOf = [],
  not,
  if: condition,
  then,
  else: other,
  same,
}: ValueSchema): ValueSchema[] {
  const single = [not, condition, then, other, same].filter((one) => one !== undefined);
  return [...allOf, ...anyOf, ...oneOf, ...single];
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPlain(value: unknown): value is PlainJson {
  if (typeof value === 'number') return isExact(value);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (Array.isArray(value)) return value.every(isPlain);
  return isMap(value) && Object.values(value).every(isPlain);
}

function isExact(value: number): boolean {
  return Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value);
}

function pointerText(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
