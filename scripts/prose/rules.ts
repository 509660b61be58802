// The rules of `npm run check` for prose. Each finds places in the blocks of a text and says what to write instead.

import type { Block, ProseText } from './blocks.ts';
import {
  headingNames,
  knownAbbreviations,
  plainWords,
  properNames,
  stumblingPhrases,
  type Phrase,
} from './phrases.ts';

/** Whom a text is for: a person with a task, one who looks something up, or one who works on the source. */
export type Audience = 'task' | 'reference' | 'source';

export interface Found {
  /** In the file. */
  readonly offset: number;
  /** What is there, and what to write instead. */
  readonly message: string;
}

export interface Rule {
  readonly name: string;
  /** For CONTRIBUTING.md, and for who meets it. */
  readonly says: string;
  readonly audiences: readonly Audience[];
  readonly find: (text: ProseText, audience: Audience) => readonly Found[];
}

/** Words of a sentence at most. */
export const sentenceWords: Readonly<Record<Audience, number>> = { task: 30, reference: 35, source: 60 };

const everyone: readonly Audience[] = ['task', 'reference', 'source'];
const users: readonly Audience[] = ['task', 'reference'];

const at = (block: Block, index: number): number => block.offsets[index] ?? block.offsets.at(-1) ?? 0;
const isProse = ({ kind }: Block): boolean => kind !== 'heading';
const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}…` : text);

/** Runs an expression over the blocks of a text. */
function findAll(
  { blocks }: ProseText,
  expression: RegExp,
  message: (match: RegExpExecArray, block: Block) => string | undefined,
): readonly Found[] {
  return blocks.flatMap((block) =>
    [...block.text.matchAll(expression)].flatMap((match) => {
      const said = message(match, block);
      return said === undefined ? [] : [{ offset: at(block, match.index), message: said }];
    }),
  );
}

/** A cell such as `tls, own-names`. */
const isListOfNames = ({ kind, text }: Block): boolean =>
  kind === 'cell' && /^[a-z0-9-]+(?:, [a-z0-9-]+)*$/.test(text.trim());

function phraseRule(
  name: string,
  says: string,
  {
    phrases,
    flags,
    audiences,
  }: { readonly phrases: readonly Phrase[]; readonly flags: string; readonly audiences: readonly Audience[] },
): Rule {
  const expressions = phrases.map(({ find, instead }) => {
    return {
      expression: new RegExp(`(?<![\\p{L}\\p{N}_/.-])(?:${find})(?![\\p{L}\\p{N}_/:]|[-.]\\p{L})`, flags),
      instead,
    };
  });
  return {
    name,
    says,
    audiences,
    find: (text) =>
      expressions.flatMap(({ expression, instead }) =>
        findAll(text, expression, ([found], block) =>
          isListOfNames(block) ? undefined : `"${found}": write ${instead}`,
        ),
      ),
  };
}

/** Sentences of a text, with where they begin. A dot in a name or a number ends none. */
function sentencesOf({ text, kind }: Block): readonly { readonly segment: string; readonly index: number }[] {
  // Cells are lists as often as sentences.
  const ends =
    kind === 'cell'
      ? [...text.matchAll(/(?<!\b(?:e\.g|i\.e|vs|cf|etc|No))[.!?;·]["'”)]* +/g)]
      : [...text.matchAll(/(?<!\b(?:e\.g|i\.e|vs|cf|etc|No))[.!?]["'”)]* +/g)];
  const starts = [0, ...ends.map(({ 0: end, index }) => index + end.length)];
  return starts.map((index, at) => ({ segment: text.slice(index, starts[at + 1]), index }));
}

/** Spans of code in a row are read as one, as a list of names is. */
const wordsOf = (sentence: string): number =>
  sentence
    .replaceAll(/\bCode(?:,? (?:and |or )?Code\b)+/g, 'Code')
    .split(/[\s/—–]+/)
    .filter((word) => /[\p{L}\p{N}]/u.test(word)).length;

const sentenceLength: Rule = {
  name: 'sentence-length',
  says: `A sentence has at most ${sentenceWords.task} words where a person has a task, ${sentenceWords.reference} in a reference, ${sentenceWords.source} in a decision.`,
  audiences: everyone,
  find: ({ blocks }, audience) =>
    blocks.filter(isProse).flatMap((block) =>
      sentencesOf(block).flatMap(({ segment, index }) => {
        const count = wordsOf(segment);
        if (count <= sentenceWords[audience]) return [];
        const message = `${count} words in "${shortened(segment.trim())}": make two sentences or a list of it (at most ${sentenceWords[audience]})`;
        return [{ offset: at(block, index), message }];
      }),
    ),
};

/** Participles that do not end in -ed. */
const irregular =
  'begun|bound|broken|brought|built|caught|chosen|cut|done|drawn|driven|fed|found|given|held|hidden|kept|known|led|left|lost|made|met|paid|put|read|rewritten|run|seen|sent|set|shown|shut|spent|split|taken|taught|thrown|told|understood|won|written';
const passive = new RegExp(
  `\\b(?:is|are|was|were|be|been|being|gets?|got)(?: (?:not|never|always|only|then|still|also|again|\\p{L}+ly))? (?:\\p{L}+ed|${irregular}) by (?!(?:default|hand|itself|themselves|name|then|now|design|one|rule|\\p{L}+ing)\\b)`,
  'giu',
);

const passiveAgent: Rule = {
  name: 'passive',
  says: 'The subject is the one that acts: `a test runs it`, not `it is run by a test`.',
  audiences: ['task'],
  find: (text) =>
    findAll(text, passive, ([found], block) =>
      isProse(block) ? `"${found.trim()} …": make who acts the subject ("a test runs it")` : undefined,
    ),
};

const doubledWord: Rule = {
  name: 'doubled-word',
  says: 'No word stands twice in a row.',
  audiences: everyone,
  find: (text) =>
    findAll(text, /(?<![\p{L}\p{N}'-])(\p{L}+) +\1(?![\p{L}\p{N}'-])/giu, ([found, word = '']) =>
      word === 'Code' || /^(?:that|had)$/i.test(word) ? undefined : `"${found}": write it once`,
    ),
};

/** Begin with a vowel and are said with a consonant, and the other way round. */
const saidOtherwise = /^(?:uni(?!n)|us[aeiu]|ubi|uti|eu|one\b|once\b|u[rudt][lidpfc]\b|uuid|uid|usb)/i;
const saidWithVowel = /^(?:hour|honest|honou?r|heir|https?\b|8|11\b|18\b)/i;
/** Capitals that some spell and some say as a word, and names of programs alike. */
const saidInTwoWays =
  /^(?:SQL|SAN|LAN|MAC|RAM|ROM|SIG\w+|SEA|SARIF|SYN|NAT\d*|FIFO|LUKS|NULL|REST|SHA\d*|SOCKS\d?|RUN|HEAD|HOME|MUST|NOT|NO|SAML|FROM|SELECT|SET|FILE|HOST|NAME|npm\w*)$/;

const article: Rule = {
  name: 'article',
  says: '`a` before a consonant that is heard, `an` before a vowel.',
  audiences: everyone,
  find: (text) =>
    findAll(text, /(?<![\p{L}\p{N}'-])(an?) +"?([\p{L}\p{N}]+)/giu, ([found, word = '', next = '']) => {
      if (next === 'Code' || word === 'A') return undefined;
      const vowel = wantsAn(next);
      if (vowel === undefined || vowel === (word.toLowerCase() === 'an')) return undefined;
      return `"${found}": write "${vowel ? 'an' : 'a'} ${next}"`;
    }),
};

/** Undefined where people say it in two ways. */
function wantsAn(word: string): boolean | undefined {
  if (saidInTwoWays.test(word)) return undefined;
  if (/^[A-Z][A-Z0-9]*$/.test(word) && /^[FHLMNRSX]/.test(word)) return true;
  if (saidWithVowel.test(word)) return true;
  if (/^\d/.test(word)) return false;
  return /^[aeiou]/i.test(word) && !saidOtherwise.test(word);
}

const headlessSubject: Rule = {
  name: 'subject',
  says: 'A sentence names its subject: not `What outlives it is in the store`, not `Who has the key reads it`.',
  audiences: ['task'],
  find: ({ blocks }) =>
    blocks.filter(isProse).flatMap((block) =>
      sentencesOf(block).flatMap(({ segment, index }) => {
        const [, word = ''] = /^["“(]?(What|Who) .*[^?\s][.:;)]\s*$/.exec(segment) ?? [];
        const instead = word === 'Who' ? '"Whoever", "Anyone who", or the person' : 'the thing, or "If …"';
        if (word === '') return [];
        return [
          { offset: at(block, index), message: `a sentence that begins with "${word}": name ${instead}` },
        ];
      }),
    ),
};

const negatedNoun: Rule = {
  name: 'no-noun',
  says: '`is not a secret`, not `is no secret`.',
  audiences: ['task'],
  find: (text) =>
    findAll(
      text,
      /(?<!there )\b(?:is|are|was|were) no (?!longer|more|less|better|worse|one\b|way\b|need\b|doubt\b)\p{L}+/giu,
      ([found], block) => (isProse(block) ? `"${found}": write "is not a …"` : undefined),
    ),
};

const headingCase: Rule = {
  name: 'heading-case',
  says: 'Headings are in sentence case: one capital at the start, and those of names.',
  audiences: everyone,
  find: ({ blocks }) =>
    blocks
      .filter(({ kind }) => kind === 'heading')
      .flatMap((block) =>
        [...block.text.matchAll(/(?<![\p{L}\p{N}'’.-])[\p{L}][\p{L}\p{N}'’.-]*/gu)].flatMap(
          ({ 0: word, index }) => {
            const first =
              !/[\p{L}\p{N}]/u.test(block.text.slice(0, index)) ||
              /[:.?!–—] *["(]?$/.test(block.text.slice(0, index));
            const plain = word.replace(/[’']s$|[.-]$/, '');
            if (!/^\p{Lu}\p{Ll}/u.test(word) || first || word === 'Code') return [];
            if (headingNames.has(word) || headingNames.has(plain)) return [];
            return [
              {
                offset: at(block, index),
                message: `"${word}" in a heading: write "${word.toLowerCase()}", or add the name to headingNames in scripts/prose/phrases.ts`,
              },
            ];
          },
        ),
      ),
};

const headingOrder: Rule = {
  name: 'heading-order',
  says: 'A document has one title, and no level of headings is left out.',
  audiences: everyone,
  find: ({ blocks }) => {
    let before = 0;
    return blocks.flatMap((block) => {
      const { level } = block;
      if (level === undefined) return [];
      const wrong = level > before + 1 || (level === 1 && before > 0);
      const message = `a heading of level ${level} after one of level ${before}: write ${'#'.repeat(before === 0 ? 1 : Math.min(level, before + 1))}`;
      before = level;
      return wrong ? [{ offset: at(block, 0), message }] : [];
    });
  },
};

const linkText: Rule = {
  name: 'link-text',
  says: 'The text of a link says where it leads: no "here", no name of a file; a picture has a text in its place.',
  audiences: everyone,
  find: ({ links }) =>
    links.flatMap(({ text, target, image, offset }) => {
      if (image)
        return text.split(' ').length < 3
          ? [{ offset, message: 'a picture without words in its place: say in the brackets what it shows' }]
          : [];
      const empty = /^(?:here|this|there|link|page|this page|more|read more|see|click here)?$/i.test(
        text.trim(),
      );
      const file = /^[\w./-]+\.md$/.test(text) && !/^[A-Z]+\.md$/.test(text);
      if (!empty && !file) return [];
      return [
        {
          offset,
          message: `the link "${text}" to ${target}: write what is there, such as the title of the page`,
        },
      ];
    }),
};

const tableHead: Rule = {
  name: 'table-head',
  says: 'Each column of a table has a name.',
  audiences: everyone,
  find: ({ blocks }) =>
    blocks
      .filter(({ kind, text }) => kind === 'head' && text.trim() === '')
      .map((block) => ({
        offset: at(block, 0),
        message: 'a column of a table without a name: write one, such as "what"',
      })),
};

const fenceLanguage: Rule = {
  name: 'fence-language',
  says: 'A block of code names its language: `text` where it has none.',
  audiences: everyone,
  find: ({ fences }) =>
    fences.flatMap(({ language, offset }) =>
      language === ''
        ? [
            {
              offset,
              message: 'a block of code without a language: write it after the ```, `text` if it has none',
            },
          ]
        : [],
    ),
};

const abbreviation: Rule = {
  name: 'abbreviation',
  says: 'An abbreviation is explained where a page first uses it, except those of knownAbbreviations in scripts/prose/phrases.ts.',
  audiences: ['task'],
  find: ({ blocks }) => {
    const seen = new Set<string>();
    return blocks
      .filter(({ kind }) => kind !== 'literal')
      .flatMap((block) =>
        [
          ...block.text.matchAll(
            /(?<![\p{L}\p{N}_./-])[A-Z][A-Z0-9]{1,7}(?![\p{L}\p{N}_]|[./-][\p{L}\p{N}])/gu,
          ),
        ].flatMap(({ 0: word, index }) => {
          if (seen.has(word) || knownAbbreviations.has(word)) return [];
          seen.add(word);
          const around = `${block.text.slice(Math.max(0, index - 1), index)}${block.text.slice(index + word.length, index + word.length + 2)}`;
          if (/^\(\)|^.? \(/.test(around)) return [];
          return [
            {
              offset: at(block, index),
              message: `"${word}" is not explained: write "the words (${word})" where the page first has it, or add it to knownAbbreviations in scripts/prose/phrases.ts`,
            },
          ];
        }),
      );
  },
};

/** Times that a page says "of its own" and its kin. */
const ownMax = 3;

const overused: Rule = {
  name: 'own',
  says: `\`of its own\` and \`of their own\` stand at most ${ownMax} times on a page.`,
  audiences: ['task'],
  find: (text) =>
    findAll(
      text,
      /\bof (?:its|their|our|your) own\b/giu,
      ([found]) =>
        `"${found}", more than ${ownMax} times on this page: write "its …", "separate", or leave it out`,
    ).slice(ownMax),
};

export const rules: readonly Rule[] = [
  sentenceLength,
  passiveAgent,
  headlessSubject,
  negatedNoun,
  overused,
  phraseRule('plain-word', 'The shorter, more usual word.', {
    phrases: plainWords,
    flags: 'giu',
    audiences: users,
  }),
  phraseRule('stumbling', 'No construction that has to be read twice.', {
    phrases: stumblingPhrases,
    flags: 'giu',
    audiences: users,
  }),
  phraseRule('name', 'Names and terms as their owners and RFCs write them.', {
    phrases: properNames,
    flags: 'gu',
    audiences: everyone,
  }),
  doubledWord,
  article,
  headingCase,
  headingOrder,
  linkText,
  tableHead,
  fenceLanguage,
  abbreviation,
];
