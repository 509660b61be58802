// The same rules for Vale (https://vale.sh), for whoever has it in an editor: `.vale.ini` and `.vale/styles/upstreamproxy`. A test writes and
// compares them. `npm run check` does not need Vale: neither of its npm packages carries the program.

import { stringify } from 'yaml';
import {
  headingNames,
  knownAbbreviations,
  plainWords,
  properNames,
  stumblingPhrases,
  type Phrase,
} from './phrases.ts';
import { sentenceWords, type Audience } from './rules.ts';

const style = 'upstreamproxy';
const note =
  'Made from scripts/prose/phrases.ts; UPDATE_DOCS=1 node --test test/scripts/prose/vale-files.test.ts writes it.';

/** Which of Vale's rules hold where, in the order in which Vale reads the sections: the last that a file fits holds. */
export const places: readonly (readonly [glob: string, audience: Audience])[] = [
  ['{*.md,docs/*.md,docs/guides/*.md}', 'task'],
  ['{SECURITY.md,ARCHITECTURE.md,docs/reference/*.md}', 'reference'],
  ['{docs/decisions/*.md,docs/reference/performance.md}', 'source'],
];

const lengthRule: Readonly<Record<Audience, string>> = {
  task: 'SentenceOfTask',
  reference: 'SentenceOfReference',
  source: 'SentenceOfDecision',
};

/** Path from the root of the project to text. */
export function valeFiles(): ReadonlyMap<string, string> {
  const rules: Readonly<Record<string, unknown>> = {
    PlainWord: substitution(plainWords, true),
    Stumbling: substitution(stumblingPhrases, true),
    Name: substitution(properNames, false),
    DoubledWord: {
      extends: 'repetition',
      message: "'%s' stands twice.",
      level: 'error',
      tokens: ['[^\\s]+'],
    },
    HeadingCase: {
      extends: 'capitalization',
      message: "'%s': headings are in sentence case.",
      level: 'error',
      scope: 'heading',
      match: '$sentence',
      exceptions: [...headingNames],
    },
    Abbreviation: {
      extends: 'conditional',
      message: "'%s' is not explained where the page first uses it.",
      level: 'error',
      first: '\\b([A-Z]{2,8})\\b',
      second: '\\(([A-Z]{2,8})\\)',
      exceptions: [...knownAbbreviations],
    },
    ...Object.fromEntries(
      Object.entries(lengthRule).map(([audience, name]) => [name, lengthOf(audience as Audience)]),
    ),
  };
  return new Map([
    ['.vale.ini', configuration(Object.keys(rules))],
    ...Object.entries(rules).map(
      ([name, rule]) =>
        [`.vale/styles/${style}/${name}.yml`, `# ${note}\n${stringify(rule, { lineWidth: 0 })}`] as const,
    ),
  ]);
}

function substitution(phrases: readonly Phrase[], ignorecase: boolean): unknown {
  const swap = Object.fromEntries(phrases.map(({ find, instead }) => [`(?:${find})`, instead]));
  return { extends: 'substitution', message: "'%[2]s': write %[1]s.", level: 'error', ignorecase, swap };
}

function lengthOf(audience: Audience): unknown {
  const max = sentenceWords[audience];
  return {
    extends: 'occurrence',
    message: `A sentence of more than ${max} words: make two, or a list.`,
    level: 'error',
    scope: 'sentence',
    max,
    token: '[^\\s/—–]*[A-Za-z0-9][^\\s/—–]*',
  };
}

function configuration(names: readonly string[]): string {
  const sections = places.map(([glob, audience]) => {
    const others = Object.values(lengthRule).filter((name) => name !== lengthRule[audience]);
    const off = new Set([
      ...others,
      ...(audience === 'task' ? [] : ['Abbreviation']),
      ...(audience === 'source' ? ['PlainWord', 'Stumbling'] : []),
    ]);
    const lines = names.map((name) => `${style}.${name} = ${off.has(name) ? 'NO' : 'YES'}`);
    return `[${glob}]\n${lines.join('\n')}\n`;
  });
  return `# ${note}\nStylesPath = .vale/styles\nMinAlertLevel = error\n\n${sections.join('\n')}`;
}
