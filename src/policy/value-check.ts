// Whether arguments fit a schema. It costs what it looks at, and says no where two servers could read the value in two ways.

import { canonicalJson } from '../understand/canonical-json.ts';
import {
  foldedName,
  InexactNumber,
  JsonObject,
  type JsonValue,
  shownName,
} from '../understand/json-value.ts';
import { isList } from '../understand/write-json.ts';
import type { ValueSchema, PlainJson, SchemaType } from './value-schema.ts';
import type { MatchingWork } from './matching-work.ts';

/** What of a value does not fit, as `arguments.a[0]` and a keyword; undefined: it fits. Counts only while the work is not spent. */
export function schemaMisfit(schema: ValueSchema, value: JsonValue, work: MatchingWork): string | undefined {
  const check = new Check(work);
  const fits = check.fits(schema, value);
  return fits && !check.isOdd ? undefined : (check.odd ?? check.misfit ?? 'arguments');
}

class Check {
  readonly #work: MatchingWork;
  readonly #place: (string | number)[] = [];
  /** Set where a value was looked at that servers read in several ways: the whole is unknown then, also under `not`. */
  odd: string | undefined;
  misfit: string | undefined;

  constructor(work: MatchingWork) {
    this.#work = work;
  }

  get isOdd(): boolean {
    return this.odd !== undefined;
  }

  fits(schema: ValueSchema, value: JsonValue): boolean {
    // What is spent decides nothing.
    if (!this.#work.spend(1)) return false;
    if (schema.isNever === true) return this.#no('false');
    if (schema.types !== undefined && !this.#hasType(schema.types, value)) return this.#no('type');
    if (schema.values !== undefined && !this.#isAmong(schema.values, value)) return this.#no('enum');
    return this.#fitsKind(schema, value) && this.#fitsOthers(schema, value);
  }

  #fitsKind(schema: ValueSchema, value: JsonValue): boolean {
    if (typeof value === 'string') return this.#fitsText(schema, value);
    if (typeof value === 'number') return this.#fitsNumber(schema, value);
    if (isList(value)) return this.#fitsList(schema, value);
    if (value instanceof JsonObject) return this.#fitsObject(schema, value);
    if (value instanceof InexactNumber && looksAtNumbers(schema))
      return this.#unknown('a number that some parsers round');
    return true;
  }

  #hasType(types: ReadonlySet<SchemaType>, value: JsonValue): boolean {
    if (value instanceof InexactNumber) return this.#unknown('a number that some parsers round');
    if (typeof value === 'number')
      return types.has('number') || (types.has('integer') && Number.isInteger(value));
    if (value === null) return types.has('null');
    if (isList(value)) return types.has('array');
    return types.has(
      value instanceof JsonObject ? 'object' : typeof value === 'string' ? 'string' : 'boolean',
    );
  }

  #isAmong(values: readonly PlainJson[], value: JsonValue): boolean {
    if (value instanceof InexactNumber) return this.#unknown('a number that some parsers round');
    const length = typeof value === 'string' ? value.length : 1;
    if (!this.#work.spend(values.length + length / charactersPerStep)) return false;
    if (!isList(value) && !(value instanceof JsonObject)) return values.includes(value);
    const text = this.#textOf(value);
    return values.some((one) => typeof one === 'object' && one !== null && plainText(one) === text);
  }

  /** In one form. A number that some parsers round makes it unknown. */
  #textOf(value: JsonValue): string {
    if (hasInexact(value)) this.#unknown('a number that some parsers round');
    const text = canonicalJson(value);
    this.#work.spend(text.length / charactersPerStep);
    return text;
  }

  #fitsText({ minLength, maxLength, pattern }: ValueSchema, text: string): boolean {
    if (minLength !== undefined || maxLength !== undefined) {
      this.#work.spend(text.length / charactersPerStep);
      const length = pointsOf(text);
      if (length < (minLength ?? 0)) return this.#no('minLength');
      if (length > (maxLength ?? Infinity)) return this.#no('maxLength');
    }
    return pattern === undefined || pattern.isIn(text, this.#work) || this.#no('pattern');
  }

  #fitsNumber(schema: ValueSchema, value: number): boolean {
    const {
      minimum = -Infinity,
      maximum = Infinity,
      exclusiveMinimum = -Infinity,
      exclusiveMaximum = Infinity,
      multipleOf,
    } = schema;
    if (value < minimum) return this.#no('minimum');
    if (value > maximum) return this.#no('maximum');
    if (value <= exclusiveMinimum) return this.#no('exclusiveMinimum');
    if (value >= exclusiveMaximum) return this.#no('exclusiveMaximum');
    return multipleOf === undefined || value % multipleOf === 0 || this.#no('multipleOf');
  }

  #fitsList(schema: ValueSchema, items: readonly JsonValue[]): boolean {
    const { prefixItems = [], items: others, contains, minContains = 1, maxContains = Infinity } = schema;
    if (items.length < (schema.minItems ?? 0)) return this.#no('minItems');
    if (items.length > (schema.maxItems ?? Infinity)) return this.#no('maxItems');
    for (const [i, item] of items.entries()) {
      const one = prefixItems[i] ?? others;
      if (one !== undefined && !this.#within(i, () => this.fits(one, item))) return false;
    }
    if (schema.uniqueItems === true && new Set(items.map((item) => this.#textOf(item))).size < items.length)
      return this.#no('uniqueItems');
    if (contains === undefined) return true;
    const found = items.filter((item) => this.#quietly(() => this.fits(contains, item))).length;
    return (found >= minContains && found <= maxContains) || this.#no('contains');
  }

  #fitsObject(schema: ValueSchema, { members }: JsonObject): boolean {
    if (!this.#work.spend(members.size)) return false;
    if (schema.named !== undefined && !this.#hasOwnNames(schema.named, members)) return false;
    if (members.size < (schema.minProperties ?? 0)) return this.#no('minProperties');
    if (members.size > (schema.maxProperties ?? Infinity)) return this.#no('maxProperties');
    if (schema.required?.every((name) => members.has(name)) === false) return this.#no('required');
    for (const [name, others] of schema.dependentRequired ?? [])
      if (members.has(name) && !others.every((one) => members.has(one))) return this.#no('dependentRequired');
    for (const [name, value] of members)
      if (!this.#within(name, () => this.#fitsMember(schema, name, value))) return false;
    return true;
  }

  #fitsMember(schema: ValueSchema, name: string, value: JsonValue): boolean {
    const { properties, patternProperties = [], additionalProperties, propertyNames } = schema;
    if (propertyNames !== undefined && !this.fits(propertyNames, name)) return false;
    const own = properties?.get(name);
    if (own !== undefined && !this.fits(own, value)) return false;
    let isNamed = own !== undefined;
    for (const [pattern, one] of patternProperties) {
      if (!pattern.isIn(name, this.#work)) continue;
      isNamed = true;
      if (!this.fits(one, value)) return false;
    }
    if (isNamed || additionalProperties === undefined) return true;
    return additionalProperties.isNever === true
      ? this.#no('additionalProperties')
      : this.fits(additionalProperties, value);
  }

  /** A name that differs in its letter case alone is another property to the schema, and the same one to some servers. */
  #hasOwnNames(
    named: ReadonlyMap<string, ReadonlySet<string>>,
    members: ReadonlyMap<string, JsonValue>,
  ): boolean {
    for (const name of members.keys()) {
      this.#work.spend(name.length / charactersPerStep);
      const own = named.get(foldedName(name));
      if (own !== undefined && !own.has(name))
        return this.#unknown(`the name ${shownName(name)}, which some servers take for another one`);
    }
    return true;
  }

  #fitsOthers(schema: ValueSchema, value: JsonValue): boolean {
    const { allOf = [], anyOf, oneOf, not, if: condition, same } = schema;
    if (same !== undefined && !this.fits(same, value)) return false;
    if (!allOf.every((one) => this.fits(one, value))) return false;
    if (anyOf?.some((one) => this.#quietly(() => this.fits(one, value))) === false) return this.#no('anyOf');
    if (oneOf !== undefined && oneOf.filter((one) => this.#quietly(() => this.fits(one, value))).length !== 1)
      return this.#no('oneOf');
    if (not !== undefined && this.#quietly(() => this.fits(not, value))) return this.#no('not');
    if (condition === undefined) return true;
    const next = this.#quietly(() => this.fits(condition, value)) ? schema.then : schema.else;
    return next === undefined || this.fits(next, value);
  }

  #within(name: string | number, run: () => boolean): boolean {
    this.#place.push(name);
    const fits = run();
    this.#place.pop();
    return fits;
  }

  /** What does not fit there is no reason by itself. */
  #quietly(run: () => boolean): boolean {
    const { misfit } = this;
    const fits = run();
    this.misfit = misfit;
    return fits;
  }

  #no(keyword: string): false {
    this.misfit ??= `${this.#placeText()} (${keyword})`;
    return false;
  }

  #unknown(what: string): false {
    this.odd ??= `${this.#placeText()} has ${what}`;
    return false;
  }

  #placeText(): string {
    const steps = this.#place.map((one) =>
      typeof one === 'number'
        ? `[${String(one)}]`
        : /^\w{1,40}$/.test(one)
          ? `.${one}`
          : `[${shownName(one)}]`,
    );
    return `arguments${steps.join('')}`;
  }
}

/** Of a text that is looked through once. */
const charactersPerStep = 8;

function looksAtNumbers(schema: ValueSchema): boolean {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  return [minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf].some((one) => one !== undefined);
}

function hasInexact(value: JsonValue): boolean {
  if (value instanceof InexactNumber) return true;
  if (value instanceof JsonObject) return value.members.values().some(hasInexact);
  return isList(value) && value.some(hasInexact);
}

/** Half of a pair counts once, as a whole one does. */
function pointsOf(text: string): number {
  let points = 0;
  for (let at = 0; at < text.length; at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) points += 1;
  return points;
}

const plainTexts = new WeakMap<object, string>();

/** As `canonicalJson`, of a value that an operator wrote. */
function plainText(value: PlainJson): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let text = plainTexts.get(value);
  if (text === undefined) {
    text = Array.isArray(value)
      ? `[${value.map(plainText).join(',')}]`
      : `{${Object.entries(value)
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, one]) => `${JSON.stringify(name)}:${plainText(one)}`)
          .join(',')}}`;
    plainTexts.set(value, text);
  }
  return text;
}
