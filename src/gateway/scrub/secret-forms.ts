// The forms in which a credential's value can come back: as servers write texts, and as Base64 or inside of it.

import { Buffer } from 'node:buffer';
import type { Secret } from '../../protocol/secret.ts';
import { percentForms, writtenForms } from './written-forms.ts';

/** A form shorter than this is not searched for: it would match by chance. */
const searchableBytesMin = 6;
/** A line of a value that has several is searched by itself from this length on: a shorter one could be guessed. */
const lineBytesMin = 16;

export interface SecretForms {
  /** As it stands. */
  readonly plain: readonly Buffer[];
  /** Base64, which writers break into lines and JSON escapes. */
  readonly base64: readonly Buffer[];
}

/** Every form once. */
export function secretForms(values: readonly Secret<string>[]): SecretForms {
  const plain = new Set<string>();
  const base64 = new Set<string>();
  for (const value of values) {
    for (const text of textAndLines(value.reveal())) {
      for (const form of writtenForms(text)) plain.add(form);
      for (const form of base64Forms(text)) {
        base64.add(form);
        for (const written of [...percentForms(form), form.replaceAll('/', '\\/')])
          if (written !== form) plain.add(written);
      }
    }
  }
  return { plain: searchable(plain), base64: searchable(base64) };
}

/** A line end is a border, behind which nothing waits: so what has several lines is found by its lines, too. */
function textAndLines(text: string): readonly string[] {
  const lines = text.split(/\r\n|\r|\n/);
  return lines.length === 1
    ? [text]
    : [text, ...lines.filter((line) => Buffer.byteLength(line) >= lineBytesMin)];
}

/**
 * The value in Base64, and what stands there for it alone, whatever is before and behind it (RFC 4648 §4, §5): three octets make
 * four characters, so there are three ways to lie, and the characters at the ends belong to the neighbours too.
 */
export function base64Forms(text: string): readonly string[] {
  const bits = 8 * Buffer.byteLength(text);
  const cores = [0, 1, 2].flatMap((offset) => {
    const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(text)]);
    const [from, to] = [Math.ceil((8 * offset) / 6), Math.floor((8 * offset + bits) / 6)];
    return (['base64', 'base64url'] as const).map((alphabet) => bytes.toString(alphabet).slice(from, to));
  });
  const whole = Buffer.from(text);
  return [withoutPadding(whole.toString('base64')), whole.toString('base64url'), ...cores];
}

function withoutPadding(base64: string): string {
  const padding = base64.indexOf('=');
  return padding === -1 ? base64 : base64.slice(0, padding);
}

function searchable(forms: ReadonlySet<string>): readonly Buffer[] {
  return [...forms].map((form) => Buffer.from(form)).filter(({ length }) => length >= searchableBytesMin);
}
