// The files of a policy as columns of lines: numbers, text, and beside the line at which a rule begins how it is used.

import { plainText } from './clean-text.ts';

export interface PolicyFile {
  readonly policy?: string | undefined;
  readonly name: string;
  readonly text: string;
}

export interface PlacedRule {
  readonly name: string;
  /** `file:line`; of a published policy `main@3/file:line`. */
  readonly place?: string | undefined;
  readonly policy?: string | undefined;
}

/** Columns of one file: each a text with as many lines as the file has. */
export interface FileColumns {
  readonly title: string;
  readonly numbers: string;
  readonly text: string;
  readonly use: string;
}

const lineCharactersMax = 2000;

/** `useOf` says in a few words how a rule is used. Whatever the text holds, nothing of it orders or hides what stands beside it. */
export function columnsOf<Rule extends PlacedRule>(
  file: PolicyFile,
  rules: readonly Rule[],
  useOf: (rule: Rule) => string,
): FileColumns {
  const lines = file.text.replace(/\n$/, '').split('\n');
  const uses = new Map<number, string>();
  for (const rule of rules) {
    const line = lineIn(file, rule);
    if (line !== undefined) uses.set(line, useOf(rule));
  }
  const all = lines.map((_, i) => i + 1);
  return {
    title: file.policy === undefined ? file.name : `${file.policy}: ${file.name}`,
    numbers: all.join('\n'),
    text: lines.map((line) => plainText(line.replaceAll('\t', '  '), lineCharactersMax)).join('\n'),
    use: all.map((number) => uses.get(number) ?? '').join('\n'),
  };
}

/** Numbers of the lines of a text that is written, with a mark before those that have a problem. */
export function markedNumbers(text: string, problems: ReadonlySet<number>): string {
  const count = text.split('\n').length;
  return Array.from({ length: count }, (_, i) => `${problems.has(i + 1) ? '● ' : ''}${i + 1}`).join('\n');
}

/** The line at which the rule stands in this file. */
function lineIn({ policy, name }: PolicyFile, rule: PlacedRule): number | undefined {
  const { place } = rule;
  if (place === undefined || (rule.policy !== undefined && rule.policy !== policy)) return undefined;
  const colon = place.lastIndexOf(':');
  const file = place.slice(0, colon);
  const isHere =
    policy === undefined ? file === name : file.startsWith(`${policy}@`) && file.endsWith(`/${name}`);
  const line = Number(place.slice(colon + 1));
  return isHere && Number.isInteger(line) && line > 0 ? line : undefined;
}
