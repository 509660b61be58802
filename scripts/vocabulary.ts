// The words that the project does not use, what stands in their place, and where they are right all the same.

export interface BannedWord {
  /** Lower case; whole words and parts of identifiers are found alike. */
  readonly word: string;
  readonly instead: string;
  /** Where the word means something else. The reason is for who reads this table. */
  readonly allowed: readonly { readonly file: RegExp; readonly line?: RegExp; readonly why: string }[];
}

const nameService =
  /\b(?:name server|names? are answered|resolv\w*|alias|addresse?s?|RFC 8305|TTL|answered|cache)\b/i;

/** Questions that rules ask people. */
const aboutQuestions =
  /^(?:src|test)\/.*(?:question|\/ask[-.]|hold-for-answer|seen-access|\/(?:commands|operator)\/access|webhook|notice|callback)[^/]*\.(?:ts|tsx)$|^docs\/guides\/ask-a-person\.md$/;
const withQuestions =
  /^(?:schema|deploy\/chart|sdk\/python|docs\/reference)\/|^src\/(?:api|protocol|console|store|gateway\/(?:admin|access|audit|config|exchange)|policy|cli\/operator)\/|^test\/(?:policy|gateway|console|scripts)\//;
const ofPeople =
  /[Qq]uestion|QUESTION|asks? |asked|\bpersons?\b|people|somebody|who answered|access answer|[Aa]n answer (?:may|of|so|that|to|opens|holds|waits|is|comes|for|goes)|held for an answer|hold-for-answer|let an answer go|wait for an answer|[Ww]ho answered|answers? (?:so|for|may|that)|the answer holds|answered(?:\b|Text|Of)|answer(?:Question|Desk|: z|":)|Answered|\bANSWER\b|\| answer \||'answer'|answer: \{/;

export const bannedWords: readonly BannedWord[] = [
  {
    word: 'answer',
    instead: 'response (RFC 9110 §3.4), or respond',
    allowed: [
      {
        file: /^src\/agent\/capture\/(?:dns-message|resolver|resolver-server)\.ts$/,
        why: 'answers of DNS (RFC 1035 §4.1)',
      },
      { file: /^test\/agent\/capture\//, why: 'answers of DNS' },
      {
        file: /^(?:src|test)\/net\/(?:resolver|dns-server|alias-chain)(?:\.test)?\.ts$/,
        why: 'answers of DNS',
      },
      { file: /^fuzz\/dns\.ts$/, why: 'answers of DNS' },
      { file: /^docs\/reference\/capture\.md$/, why: 'answers of DNS' },
      {
        file: /^(?:src\/net\/dialer\.ts|docs\/reference\/(?:address-guard|audit|limits)\.md|schema\/gateway\.schema\.json|deploy\/chart\/values\.schema\.json)$/,
        line: nameService,
        why: 'lines on DNS',
      },
      {
        file: /^src\/protocol\/limits\/(?:network|agent)-limits\.ts$/,
        line: nameService,
        why: 'a line on DNS',
      },
      {
        file: /^src\/agent\/(?:jail\/network|placements\/resolv-conf)\.ts$/,
        line: /^.*# upstreamproxy: names are answered by the agent/,
        why: 'the first line of a file by which earlier versions are known',
      },
      { file: /^test\/hardening\/support\/attack\.c$/, why: "a supervisor's answer to seccomp's question" },
      { file: /^ARCHITECTURE\.md$/, line: /^\| (?:response|answer) \|/, why: 'the glossary' },
      { file: /^CONTRIBUTING\.md$/, line: /vocabulary/, why: 'names the rule' },
      { file: /^(?:scripts|test\/scripts)\/vocabulary(?:\.test)?\.ts$/, why: 'the table and its test' },
      { file: aboutQuestions, why: 'what people say to questions' },
      { file: withQuestions, line: ofPeople, why: 'what people say to questions' },
      { file: /^CHANGELOG\.md$/, why: 'what was said of earlier versions' },
    ],
  },
  {
    word: 'whitelist',
    instead: 'allow list',
    allowed: [{ file: /^scripts\/vocabulary\.ts$/, why: 'the table' }],
  },
  {
    word: 'blacklist',
    instead: 'deny list',
    allowed: [{ file: /^scripts\/vocabulary\.ts$/, why: 'the table' }],
  },
];

/** One line for each banned word of a text; `file` is its path from the root of the project, with `/`. */
export function unwantedWords(file: string, text: string): string[] {
  const lower = text.toLowerCase();
  return bannedWords
    .filter(({ word }) => lower.includes(word))
    .flatMap(({ word, instead, allowed }) => {
      const here = allowed.filter((place) => place.file.test(file));
      return text.split('\n').flatMap((line, index) => {
        if (!line.toLowerCase().includes(word)) return [];
        if (here.some((place) => place.line === undefined || place.line.test(line))) return [];
        return [`${file}:${index + 1}: "${word}" is said as ${instead}: ${line.trim().slice(0, 120)}`];
      });
    });
}
