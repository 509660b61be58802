// A form with operations of GraphQL and files (GraphQL multipart request specification), where all servers take it for the same one: two
// fields of JSON in their order, then a file for each name of the second one, and not one octet in between.

import { isAlike, JsonObject, type JsonValue, shownName, UnreadableBody } from './json-value.ts';
import { type JsonBounds, type JsonText, readJson } from './read-json.ts';
import { isList } from './write-json.ts';

/** The boundary that a Content-Type says; undefined: it is none of a form, or one that servers read in more than one way. */
export function formBoundaryOf(contentType: string): string | undefined {
  const [, boundary] = /^multipart\/form-data; ?boundary=([0-9A-Za-z_.-]{1,70})$/i.exec(contentType) ?? [];
  return boundary;
}

/** Linear in the octets. `value`: the operations, with null where a file is. */
export function readOperationsForm(
  octets: Uint8Array,
  boundary: string,
  bounds: JsonBounds,
): JsonText | UnreadableBody {
  try {
    return new FormReader(octets, boundary, bounds).read();
  } catch (fault) {
    if (fault instanceof Fault) return new UnreadableBody(fault.message);
    throw fault;
  }
}

/** What servers look for in a form, some of them whether or not it is a file. */
const fieldNames = [
  'operations',
  'map',
  'query',
  'variables',
  'operationName',
  'extensions',
  'documentId',
] as const;

/** Thrown inside of this file alone. */
class Fault extends Error {}

interface Part {
  readonly name: string;
  readonly isFile: boolean;
  readonly content: Uint8Array;
}

class FormReader {
  readonly #octets: Uint8Array;
  readonly #boundary: string;
  readonly #bounds: JsonBounds;

  constructor(octets: Uint8Array, boundary: string, bounds: JsonBounds) {
    this.#octets = octets;
    this.#boundary = boundary;
    this.#bounds = bounds;
  }

  read(): JsonText {
    const [first, second, ...files] = this.#parts();
    const operations = this.#json(first, 'operations');
    const map = this.#json(second, 'map');
    if (!(map.value instanceof JsonObject)) throw new Fault('is a form whose map is no object');
    const places = new Map(map.value.members);
    for (const { name, isFile } of files) {
      if (fieldNames.some((one) => isAlike(one, name)))
        throw new Fault(`is a form with a file ${shownName(name)}, which some servers take for the field`);
      if (!isFile || !places.delete(name))
        throw new Fault(`is a form with the field ${shownName(name)}, which its map does not name, or twice`);
    }
    for (const place of map.value.members.values()) checkPlaces(operations.value, place);
    const [count, objects] = [operations.count + map.count, operations.objects + map.objects];
    return { value: operations.value, count, objects };
  }

  #json(part: Part | undefined, name: string): JsonText {
    if (part?.name !== name || part.isFile)
      throw new Fault(`is a form without the field ${name} in its place`);
    const text = readJson(part.content, this.#bounds);
    if (text instanceof UnreadableBody) throw new Fault(`is a form whose ${name} ${text.reason}`);
    return text;
  }

  /** What stands between the delimiters, if nothing that any reader could take for one stands anywhere else. */
  #parts(): readonly Part[] {
    const dashes = `--${this.#boundary}`;
    const places = placesOf(this.#octets, codesOf(dashes));
    const ends = places.map((at) => at + dashes.length);
    const last = ends.at(-1) ?? 0;
    const isEnded = this.#isAt(last, '--') && (last + 2 === this.#octets.length || this.#isEnd(last + 2));
    if (places[0] !== 0 || places.length < 3 || !isEnded) throw brokenForm();
    return places.slice(1).map((end, index) => {
      const begin = ends[index] ?? 0;
      if (!this.#isAt(begin, '\r\n') || !this.#isAt(end - 2, '\r\n') || end - 2 < begin + 2)
        throw brokenForm();
      return this.#part(begin + 2, end - 2);
    });
  }

  #part(begin: number, end: number): Part {
    const lines: string[] = [];
    let at = begin;
    for (;;) {
      const line = this.#line(at, end);
      at += line.length + 2;
      if (line === '') break;
      lines.push(line);
      if (lines.length > 2) throw new Fault('is a form with more fields in a part than servers read alike');
    }
    return { ...partNamed(lines), content: this.#octets.subarray(at, end) };
  }

  #line(at: number, end: number): string {
    const codes: string[] = [];
    for (let place = at; place < end; place += 1) {
      const code = this.#octets[place] ?? 0;
      if (code === 0x0d && this.#isAt(place, '\r\n')) return codes.join('');
      if (code < 0x20 || code === 0x7f) break;
      codes.push(String.fromCharCode(code));
    }
    throw brokenForm();
  }

  #isAt(at: number, text: string): boolean {
    return codesOf(text).every((code, index) => this.#octets[at + index] === code);
  }

  #isEnd(at: number): boolean {
    return this.#isAt(at, '\r\n') && at + 2 === this.#octets.length;
  }
}

function brokenForm(): Fault {
  return new Fault('is a form whose parts servers find in different places');
}

function codesOf(text: string): readonly number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

/** All places of a text, in linear time (Knuth, Morris and Pratt). */
function placesOf(octets: Uint8Array, text: readonly number[]): readonly number[] {
  const back = [0];
  for (let at = 1, known = 0; at < text.length; at += 1) {
    while (known > 0 && text[at] !== text[known]) known = back[known - 1] ?? 0;
    if (text[at] === text[known]) known += 1;
    back.push(known);
  }
  const places: number[] = [];
  for (let at = 0, known = 0; at < octets.length; at += 1) {
    while (known > 0 && octets[at] !== text[known]) known = back[known - 1] ?? 0;
    if (octets[at] === text[known]) known += 1;
    if (known < text.length) continue;
    places.push(at + 1 - known);
    known = back[known - 1] ?? 0;
  }
  return places;
}

const disposition =
  /^Content-Disposition: form-data; name="([0-9A-Za-z_.-]{1,128})"(; filename="[^"\\%]*")?$/i;
const jsonType = /^Content-Type: (?:text\/plain|application\/json)(?:; ?charset=utf-8)?$/i;
const anyType =
  /^Content-Type: [0-9A-Za-z!#$&^_.+-]+\/[0-9A-Za-z!#$&^_.+-]+(?:; ?[0-9A-Za-z-]+="?[0-9A-Za-z_.+-]+"?)?$/i;

function partNamed(lines: readonly string[]): Pick<Part, 'name' | 'isFile'> {
  const found = lines.map((line) => disposition.exec(line)).filter((one) => one !== null);
  const [, name = '', file] = found[0] ?? [];
  const isFile = file !== undefined;
  const others = lines.filter((line) => !disposition.test(line));
  const isPlain = others.every((line) => (isFile ? anyType : jsonType).test(line));
  if (found.length !== 1 || others.length > 1 || !isPlain)
    throw new Fault('is a form with a part whose head servers read in different ways');
  return { name, isFile };
}

/** A file takes the place of a null in the variables, and of nothing else. */
function checkPlaces(operations: JsonValue, places: JsonValue): void {
  if (!isList(places) || places.length === 0) throw new Fault('is a form whose map names no places');
  for (const place of places) {
    const path = typeof place === 'string' ? place.split('.') : [];
    const inBatch = isList(operations) ? path.slice(1) : path;
    if (inBatch[0] !== 'variables' || inBatch.length < 2 || at(operations, path) !== null)
      throw new Fault('is a form whose map names a place that is not null, or none of a variable');
  }
}

function at(value: JsonValue, path: readonly string[]): JsonValue | undefined {
  let found: JsonValue | undefined = value;
  for (const key of path) {
    if (found === undefined) break;
    if (isList(found)) found = /^(?:0|[1-9]\d{0,5})$/.test(key) ? found[Number(key)] : undefined;
    else found = found instanceof JsonObject ? found.members.get(key) : undefined;
  }
  return found;
}
