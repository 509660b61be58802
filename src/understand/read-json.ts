// Reads JSON (RFC 8259) so that what is read is what every parser reads. Where two parsers could differ, it is not read:
// names that stand twice, text that is no UTF-8, a BOM, half a surrogate pair, comments, bytes behind the value, deep nesting.

import { InexactNumber, JsonObject, type JsonValue, shownName, UnreadableBody } from './json-value.ts';

export interface JsonBounds {
  /** Arrays and objects inside each other. */
  readonly depthMax: number;
  /** Values of all kinds, and names, all in all. */
  readonly valuesMax: number;
  /** Halves of surrogate pairs may stand in texts: parsers differ in what they make of them, and in nothing else. */
  readonly takesHalves?: boolean;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What a text says. `count`: of its values and names together; `objects`: of its objects alone. */
export interface JsonText {
  readonly value: JsonValue;
  readonly count: number;
  readonly objects: number;
}

/** Linear in the octets. What it gives is `UnreadableBody` where two parsers could read something different. */
export function readJson(octets: Uint8Array, bounds: JsonBounds): JsonText | UnreadableBody {
  let text: string;
  try {
    text = decoder.decode(octets);
  } catch {
    return new UnreadableBody('is not UTF-8');
  }
  if (text.startsWith('\ufeff')) return new UnreadableBody('begins with a byte order mark');
  return readJsonText(text, bounds);
}

function readJsonText(text: string, bounds: JsonBounds): JsonText | UnreadableBody {
  try {
    return new JsonReader(text, bounds).read();
  } catch (fault) {
    if (fault instanceof Fault) return new UnreadableBody(fault.message);
    throw fault;
  }
}

/** Thrown inside of this file alone. */
class Fault extends Error {}

/** Characters by their code. */
const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;
const colon = 0x3a;
const minus = 0x2d;
const zero = 0x30;
const nine = 0x39;

const words: ReadonlyMap<number, readonly [string, JsonValue]> = new Map<
  number,
  readonly [string, JsonValue]
>([
  [0x74, ['true', true]],
  [0x66, ['false', false]],
  [0x6e, ['null', null]],
]);

/** Letters, digits, `-` and `_`. */
const escapedLetter = /\\u00(?:2[dD]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aA])/;

const escapes: ReadonlyMap<number, string> = new Map([
  [quote, '"'],
  [backslash, '\\'],
  [0x2f, '/'],
  [0x62, '\b'],
  [0x66, '\f'],
  [0x6e, '\n'],
  [0x72, '\r'],
  [0x74, '\t'],
]);

class JsonReader {
  readonly #text: string;
  readonly #bounds: JsonBounds;
  #at = 0;
  #values = 0;
  #objects = 0;

  constructor(text: string, bounds: JsonBounds) {
    this.#text = text;
    this.#bounds = bounds;
  }

  read(): JsonText {
    this.#skipBlanks();
    const value = this.#value(0);
    this.#skipBlanks();
    if (this.#at < this.#text.length) throw this.#fault('something behind its value');
    return { value, count: this.#values, objects: this.#objects };
  }

  #value(depth: number): JsonValue {
    this.#count();
    const code = this.#text.charCodeAt(this.#at);
    if (code === quote) return this.#string();
    if (code === openBrace) return this.#object(depth + 1);
    if (code === openBracket) return this.#array(depth + 1);
    if (code === minus || (code >= zero && code <= nine)) return this.#number();
    const word = words.get(code);
    if (word === undefined || !this.#text.startsWith(word[0], this.#at)) throw this.#fault('no value');
    this.#at += word[0].length;
    return word[1];
  }

  #object(depth: number): JsonObject {
    this.#enter(depth);
    this.#objects += 1;
    const members = new Map<string, JsonValue>();
    if (this.#isNext(closeBrace)) return new JsonObject(members);
    do {
      this.#skipBlanks();
      if (this.#text.charCodeAt(this.#at) !== quote) throw this.#fault('no name');
      this.#count();
      const name = this.#name();
      if (members.has(name)) throw this.#fault(`the name ${shownName(name)} a second time`);
      if (!this.#isNext(colon)) throw this.#fault('no colon');
      this.#skipBlanks();
      members.set(name, this.#value(depth));
    } while (this.#isNext(comma));
    if (!this.#isNext(closeBrace)) throw this.#fault('an object that does not end');
    return new JsonObject(members);
  }

  #array(depth: number): readonly JsonValue[] {
    this.#enter(depth);
    const items: JsonValue[] = [];
    if (this.#isNext(closeBracket)) return items;
    do {
      this.#skipBlanks();
      items.push(this.#value(depth));
    } while (this.#isNext(comma));
    if (!this.#isNext(closeBracket)) throw this.#fault('an array that does not end');
    return items;
  }

  /**
   * No writer of JSON escapes a letter or a digit, and readers compare names as they are written: `JSON.parse` of V8 14.6 takes
   * `"\u0061"` for a name that an object before had.
   */
  #name(): string {
    const start = this.#at;
    const name = this.#string();
    const isEscaped = this.#at - start !== name.length + 2;
    if (isEscaped && escapedLetter.test(this.#text.slice(start, this.#at)))
      throw this.#fault('a name with an escape that it does not need');
    // Where it ends for some.
    if (name.includes('\0')) throw this.#fault('a name with a NUL');
    return name;
  }

  #string(): string {
    const start = ++this.#at;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === quote) return this.#text.slice(start, this.#at++);
      if (code === backslash) break;
      // NaN at the end of the text.
      if (!(code >= 0x20)) throw this.#fault('a string that does not end, or a control character in it');
      this.#at += 1;
    }
    return this.#escapedString(start);
  }

  /** At its first backslash. */
  #escapedString(start: number): string {
    const parts = [this.#text.slice(start, this.#at)];
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === quote) break;
      if (code === backslash) {
        parts.push(this.#escape());
        continue;
      }
      const from = this.#at;
      for (let next = code; next !== quote && next !== backslash; next = this.#text.charCodeAt(++this.#at))
        if (!(next >= 0x20)) throw this.#fault('a string that does not end, or a control character in it');
      parts.push(this.#text.slice(from, this.#at));
    }
    this.#at += 1;
    const whole = parts.join('');
    if (this.#bounds.takesHalves !== true && !whole.isWellFormed())
      throw this.#fault('half of a surrogate pair');
    return whole;
  }

  #escape(): string {
    const code = this.#text.charCodeAt(this.#at + 1);
    if (code !== 0x75) {
      const character = escapes.get(code);
      if (character === undefined) throw this.#fault('an escape that JSON does not know');
      this.#at += 2;
      return character;
    }
    const digits = this.#text.slice(this.#at + 2, this.#at + 6);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#fault('an escape that JSON does not know');
    this.#at += 6;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  #number(): number | InexactNumber {
    const start = this.#at;
    if (this.#text.charCodeAt(this.#at) === minus) this.#at += 1;
    if (this.#text.charCodeAt(this.#at) === zero) this.#at += 1;
    else this.#digits();
    let isWhole = true;
    if (this.#text[this.#at] === '.') {
      isWhole = false;
      this.#at += 1;
      this.#digits();
    }
    const exponent = this.#text[this.#at];
    if (exponent === 'e' || exponent === 'E') {
      isWhole = false;
      this.#at += 1;
      const sign = this.#text[this.#at];
      if (sign === '+' || sign === '-') this.#at += 1;
      this.#digits();
    }
    return numberOf(this.#text.slice(start, this.#at), isWhole);
  }

  #digits(): void {
    const start = this.#at;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (!(code >= zero && code <= nine)) break;
      this.#at += 1;
    }
    if (this.#at === start) throw this.#fault('no number');
  }

  /** Behind the bracket that opens it. */
  #enter(depth: number): void {
    if (depth > this.#bounds.depthMax)
      throw this.#fault(`more than ${String(this.#bounds.depthMax)} arrays and objects inside each other`);
    this.#at += 1;
  }

  #count(): void {
    this.#values += 1;
    if (this.#values > this.#bounds.valuesMax)
      throw this.#fault(`more than ${String(this.#bounds.valuesMax)} values`);
  }

  #isNext(code: number): boolean {
    this.#skipBlanks();
    if (this.#text.charCodeAt(this.#at) !== code) return false;
    this.#at += 1;
    return true;
  }

  #skipBlanks(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at += 1;
    }
  }

  #fault(what: string): Fault {
    return new Fault(`is not JSON that all parsers read alike: ${what} at character ${String(this.#at)}`);
  }
}

/** More digits than a double has (IEEE 754) are rounded by some, and kept by others. */
const exactDigits = 15;

/** The value of a number as it is written. `isWhole`: it has neither a point nor an exponent. */
export function numberOf(text: string, isWhole: boolean): number | InexactNumber {
  const value = Number(text);
  if (isWhole) return Number.isSafeInteger(value) && text !== '-0' ? value : new InexactNumber(text);
  const [mantissa = ''] = text.split(/[eE]/, 1);
  const digits = mantissa.replace(/[-.]/g, '').replace(/^0+/, '').length;
  const isExact = Number.isFinite(value) && digits <= exactDigits && (value !== 0 || digits === 0);
  return isExact ? value : new InexactNumber(text);
}
