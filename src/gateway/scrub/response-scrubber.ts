// Replaces injected secrets in a response by a marker of the same length, streaming, across chunk borders.

import { Buffer } from 'node:buffer';
import { HeaderList } from '../../http/header-list.ts';
import type { Secret } from '../../protocol/secret.ts';
import { writtenForms } from './written-forms.ts';

/** A secret shorter than this is not searched for: it would match by chance. */
const searchableBytesMin = 6;
const markerByte = 0x2a;

/** The forms in which a credential's value can come back: as servers write texts, and as Base64 or inside of it. */
export function secretForms(values: readonly Secret<string>[]): readonly Buffer[] {
  const forms = new Set<string>();
  for (const value of values) {
    const text = value.reveal();
    for (const form of [
      ...writtenForms(text),
      Buffer.from(text).toString('base64').replace(/=+$/, ''),
      ...base64Cores(text),
    ]) {
      if (Buffer.byteLength(form) >= searchableBytesMin) forms.add(form);
    }
  }
  return [...forms].map((form) => Buffer.from(form)).sort((a, b) => b.length - a.length);
}

/**
 * What stands in Base64 for the value alone, whatever is before and behind it (RFC 4648 §4, §5): three bytes make four characters,
 * so there are three ways to lie, and the characters at the ends belong to the neighbours too.
 */
function base64Cores(text: string): readonly string[] {
  const bits = 8 * Buffer.byteLength(text);
  return [0, 1, 2].flatMap((offset) => {
    const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(text)]);
    const [from, to] = [Math.ceil((8 * offset) / 6), Math.floor((8 * offset + bits) / 6)];
    return (['base64', 'base64url'] as const).map((alphabet) => bytes.toString(alphabet).slice(from, to));
  });
}

/** Replaces every occurrence in the values; a field whose name holds one, in whatever letters, is left out. */
export function scrubFields(fields: HeaderList, forms: readonly Buffer[]): HeaderList {
  if (forms.length === 0) return fields;
  const kept = fields.filter((name) => !isInName(name, forms));
  return new HeaderList([...kept].map(([name, value]) => [name, scrubText(value, forms)] as const));
}

/** HTTP/2 has names in lower case only. */
function isInName(lowerCaseName: string, forms: readonly Buffer[]): boolean {
  return forms.some(
    (form) =>
      form.length <= lowerCaseName.length && lowerCaseName.includes(form.toString('latin1').toLowerCase()),
  );
}

/** Replaces every occurrence in a header value. */
function scrubText(text: string, forms: readonly Buffer[]): string {
  let bytes: Buffer | undefined;
  for (const form of forms) {
    bytes ??= Buffer.from(text, 'latin1');
    replaceAll(bytes, form);
  }
  return bytes === undefined ? text : bytes.toString('latin1');
}

/**
 * A streaming replacement. Bytes that could be the start of a secret are held back (fewer than the longest
 * secret's length) until the next chunk or the end decides; everything else passes at once.
 */
export class ResponseScrubber {
  readonly #forms: readonly Buffer[];
  #held: Buffer = Buffer.alloc(0);
  /** How many occurrences were replaced. */
  replaced = 0;

  constructor(forms: readonly Buffer[]) {
    this.#forms = forms;
  }

  /** How many bytes wait for what follows them. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** The bytes that may go on now. */
  push(chunk: Uint8Array): Buffer {
    // The chunk belongs to the engine: replace in a copy.
    const bytes = Buffer.concat([this.#held, chunk]);
    for (const form of this.#forms) this.replaced += replaceAll(bytes, form);
    const keep = this.#undecidedLength(bytes);
    this.#held = bytes.subarray(bytes.length - keep);
    return bytes.subarray(0, bytes.length - keep);
  }

  end(): Buffer {
    const rest = this.#held;
    this.#held = Buffer.alloc(0);
    return rest;
  }

  #undecidedLength(bytes: Buffer): number {
    let longest = 0;
    const last = bytes.at(-1);
    for (const form of this.#forms) {
      for (let length = Math.min(form.length - 1, bytes.length); length > longest; length -= 1) {
        // Nearly always the last byte tells already.
        if (
          form[length - 1] === last &&
          bytes.subarray(bytes.length - length).equals(form.subarray(0, length))
        ) {
          longest = length;
          break;
        }
      }
    }
    return longest;
  }
}

function replaceAll(bytes: Buffer, form: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(form); at !== -1; at = bytes.indexOf(form, at + form.length)) {
    bytes.fill(markerByte, at, at + form.length);
    count += 1;
  }
  return count;
}
