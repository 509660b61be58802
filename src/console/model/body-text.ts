// A kept body as lines that may be shown: whatever it holds, each is a line of text that orders and hides nothing beside it.

import { plainText } from './clean-text.ts';

const linesMax = 1_000;
const lineCharactersMax = 2_000;

export interface BodyText {
  readonly text: string;
  /** Lines that are not shown. */
  readonly leftOut: number;
}

export function bodyText(text: string): BodyText {
  const lines = text.split('\n', linesMax + 1);
  const shown = lines
    .slice(0, linesMax)
    .map((line) => plainText(line.replace(/\r$/, '').replaceAll('\t', '  '), lineCharactersMax));
  const leftOut = lines.length > linesMax ? text.split('\n').length - linesMax : 0;
  return { text: shown.join('\n'), leftOut };
}
