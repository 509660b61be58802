// One file against the rules for prose.

import { readMarkdown, readSource, type ProseText } from './blocks.ts';
import { rules, type Audience } from './rules.ts';

export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly rule: string;
  readonly message: string;
}

/** For whom the file is, by its path from the root of the project. Undefined: nobody reads it as prose. */
export function audienceOf(file: string): Audience | undefined {
  // Performance is a log of measurements, for those who make them.
  if (/^docs\/(?:decisions\/|reference\/performance\.md$)/.test(file)) return 'source';
  if (/^docs\/reference\/|^(?:SECURITY|ARCHITECTURE)\.md$/.test(file)) return 'reference';
  if (/^docs\/.*\.md$|^[A-Z]+\.md$/.test(file)) return 'task';
  if (/^src\/(?:protocol\/error-advice|cli\/help\/explain|cli\/commands\/[\w-]+)\.ts$/.test(file))
    return 'task';
  if (/^src\/protocol\/error-table\.ts$/.test(file)) return 'task';
  return undefined;
}

/** All that a file has, in its order. A file that is not for readers has nothing. */
export function checkText(file: string, source: string): readonly Finding[] {
  const audience = audienceOf(file);
  if (audience === undefined) return [];
  const text = file.endsWith('.md') ? readMarkdown(source) : readSource(file, source);
  const place = placesOf(source);
  const used = new Set<number>();
  const found = rules
    .filter(({ audiences }) => audiences.includes(audience))
    .flatMap(({ name, find }) =>
      find(text, audience)
        .filter(({ offset }) => !isAllowed(text, { rule: name, offset }, used))
        .map(({ offset, message }) => ({ offset, rule: name, message })),
    );
  const unused = text.allowances
    .filter((_, index) => !used.has(index))
    .map(({ rule, offset }) => {
      return {
        offset,
        rule: 'unused-allowance',
        message: `nothing of the next block breaks "${rule}": leave the comment out`,
      };
    });
  return [...found, ...unused]
    .toSorted((one, other) => one.offset - other.offset)
    .map(({ offset, rule, message }) => {
      const { line, column } = place(offset);
      return { file, line, column, rule, message };
    });
}

function isAllowed(
  { allowances }: ProseText,
  { rule, offset }: { readonly rule: string; readonly offset: number },
  used: Set<number>,
): boolean {
  const index = allowances.findIndex(
    (one) => one.rule === rule && offset >= one.covers[0] && offset < one.covers[1],
  );
  if (index >= 0) used.add(index);
  return index >= 0;
}

/** From an offset to line and column, both from 1. */
function placesOf(source: string): (offset: number) => { readonly line: number; readonly column: number } {
  const starts = [0];
  for (const { index } of source.matchAll(/\n/g)) starts.push(index + 1);
  return (offset) => {
    const line = starts.findLastIndex((start) => start <= offset);
    return { line: line + 1, column: offset - (starts[line] ?? 0) + 1 };
  };
}
