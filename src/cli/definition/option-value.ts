// The value of one option, read from its text by what its definition says.

import { ProxyError } from '../../protocol/error.ts';
import type { OptionDefinition } from './command-definition.ts';

/** What stands on the command line for an option: a flag alone, or one text for each time that it was given. */
export type Given = true | readonly string[];

/** One option of a command line. `name` is the long one. Throws `usage`. */
export function readOption(name: string, option: OptionDefinition, given: Given | undefined): unknown {
  if (option.kind === 'flag') return given !== undefined;
  if (given === undefined || given === true) return 'otherwise' in option ? option.otherwise : undefined;
  if (option.kind === 'repeated') return given;
  const text = given.at(-1) ?? '';
  switch (option.kind) {
    case 'value':
    case 'path':
      return text;
    case 'number':
      return numberValue(name, text, option);
    case 'port':
      return option.words?.includes(text) === true
        ? text
        : numberValue(name, text, { min: option.min, max: 65_535 });
    case 'duration':
      return durationValue(name, text, option.msMax);
    case 'choice':
      return wordValue(name, text, Object.keys(option.choices));
    case 'list':
      return text.split(',').map((word) => wordValue(name, word.trim(), option.choices));
  }
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

function numberValue(name: string, text: string, { min, max }: Bounds): number {
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new ProxyError('usage', `--${name} takes a number from ${min} to ${max}, not ${quoted(text)}`);
}

function wordValue(name: string, text: string, words: readonly string[]): string {
  if (words.includes(text)) return text;
  throw new ProxyError('usage', `--${name} takes ${words.join(', ')}, not ${quoted(text)}`);
}

const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function durationValue(name: string, text: string, msMax: number): number {
  const [, digits, unit] = /^([1-9][0-9]{0,6})([smhd])$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) {
    throw new ProxyError('usage', `--${name} takes a duration such as 90s, 15m or 2h, not ${quoted(text)}`);
  }
  // The pattern lets in no other unit.
  const ms = Number(digits) * unitMs[unit as keyof typeof unitMs];
  if (ms > msMax) throw new ProxyError('usage', `--${name} is at most ${msMax / 1000}s, not ${text}`);
  return ms;
}

const quotedMax = 120;

/** A command line that can be copied into a shell, cut where it is too long for a message. */
export function shellLine(words: readonly string[]): string {
  const line = words.map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`,
  );
  const text = line.join(' ');
  return text.length > quotedMax ? `${text.slice(0, quotedMax)}~` : text;
}

/** A text of the command line in a message of one line. */
export function quoted(text: string): string {
  return `"${text.length > quotedMax ? `${text.slice(0, quotedMax)}~` : text}"`;
}
