// The parts of a form (RFC 7578), where all servers find the same ones: not one octet in between, and the text of the boundary nowhere else.

import { defaultLimits } from '../protocol/limits.ts';

/** The boundary that a Content-Type says; undefined: it is none of a form, or one that servers read in more than one way. */
export function formBoundaryOf(contentType: string): string | undefined {
  const [, boundary] = /^multipart\/form-data; ?boundary=([0-9A-Za-z_.-]{1,70})$/i.exec(contentType) ?? [];
  return boundary;
}

export interface FormPart {
  readonly name: string;
  /** What a file says that it is called; undefined: it is no file. */
  readonly filename: string | undefined;
  readonly content: Uint8Array;
}

/** Why a form is not read, as the end of a sentence: `the body` … */
export class FormFault extends Error {}

/** Linear in the octets. `namePattern`: how names of this form are written. @throws FormFault */
export function partsOf(octets: Uint8Array, boundary: string, namePattern: RegExp): readonly FormPart[] {
  return new PartReader(octets, namePattern).read(boundary);
}

class PartReader {
  readonly #octets: Uint8Array;
  readonly #namePattern: RegExp;

  constructor(octets: Uint8Array, namePattern: RegExp) {
    this.#octets = octets;
    this.#namePattern = namePattern;
  }

  /** What stands between the delimiters, if nothing that any reader could take for one stands anywhere else. */
  read(boundary: string): readonly FormPart[] {
    const dashes = `--${boundary}`;
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

  #part(begin: number, end: number): FormPart {
    const lines: string[] = [];
    let at = begin;
    for (;;) {
      const line = this.#line(at, end);
      at += line.length + 2;
      if (line === '') break;
      lines.push(line);
      if (lines.length > 2)
        throw new FormFault('is a form with more fields in a part than servers read alike');
    }
    return { ...this.#named(lines), content: this.#octets.subarray(at, end) };
  }

  #line(at: number, end: number): string {
    const codes: string[] = [];
    for (let place = at; place < end; place += 1) {
      const code = this.#octets[place] ?? 0;
      if (code === 0x0d && this.#isAt(place, '\r\n')) return codes.join('');
      if (code < 0x20 || code === 0x7f) break;
      codes.push(String.fromCharCode(code));
      if (codes.length > defaultLimits.formHeadLineBytesMax) break;
    }
    throw brokenForm();
  }

  #named(lines: readonly string[]): Pick<FormPart, 'name' | 'filename'> {
    const found = lines.map((line) => disposition.exec(line)).filter((one) => one !== null);
    const [, name = '', , filename] = found[0] ?? [];
    const others = lines.filter((line) => !disposition.test(line));
    const isPlain = others.every((line) => (filename === undefined ? jsonType : anyType).test(line));
    if (found.length !== 1 || others.length > 1 || !isPlain || !this.#namePattern.test(name))
      throw new FormFault('is a form with a part whose head servers read in different ways');
    return { name, filename };
  }

  #isAt(at: number, text: string): boolean {
    return codesOf(text).every((code, index) => this.#octets[at + index] === code);
  }

  #isEnd(at: number): boolean {
    return this.#isAt(at, '\r\n') && at + 2 === this.#octets.length;
  }
}

function brokenForm(): FormFault {
  return new FormFault('is a form whose parts servers find in different places');
}

function codesOf(text: string): readonly number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

/** All places of a text, in linear time (Knuth, Morris and Pratt). @throws FormFault */
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
    if (places.length > defaultLimits.formPartsMax)
      throw new FormFault('is a form of too many parts (formPartsMax)');
    places.push(at + 1 - known);
    known = back[known - 1] ?? 0;
  }
  return places;
}

const disposition = /^Content-Disposition: form-data; name="([^"\\%;=]{1,128})"(; filename="([^"\\%]*)")?$/i;
const jsonType = /^Content-Type: (?:text\/plain|application\/json)(?:; ?charset=utf-8)?$/i;
const anyType =
  /^Content-Type: [0-9A-Za-z!#$&^_.+-]+\/[0-9A-Za-z!#$&^_.+-]+(?:; ?[0-9A-Za-z-]+="?[0-9A-Za-z_.+-]+"?)?$/i;
