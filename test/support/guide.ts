// Guides as tests: the files and commands of a document, and whether what a command printed is what the document shows.

/** Who types a command: the gateway's terminal, the operator's, or a shell in the container. */
export type GuideTerminalName = 'gateway' | 'operator' | 'container';

export interface GuideCommand {
  readonly kind: 'command';
  readonly terminal: GuideTerminalName;
  /** Empty: what the gateway goes on to say. */
  readonly command: string;
  readonly output: readonly string[];
  /** It is tried again until its output is the one shown. */
  readonly withinMs: number;
  /** It goes on while others run; its output is looked at when its terminal is used again. */
  readonly runsOn: boolean;
}

export interface GuideFile {
  readonly kind: 'file';
  readonly name: string;
  readonly text: string;
  /** Added to the end of a file that is there. */
  readonly append: boolean;
}

export type GuideStep = GuideCommand | GuideFile;

export interface Guide {
  readonly steps: readonly GuideStep[];
  /** Words of the document that are others each time, such as ids. */
  readonly varying: readonly string[];
}

const prompts: Readonly<Record<string, GuideTerminalName>> = {
  'gateway$ ': 'gateway',
  '$ ': 'operator',
  'container$ ': 'container',
};

/**
 * Reads a guide. Blocks of `console` hold commands behind a prompt and what they print, blocks of `yaml` that begin with
 * `# NAME.yaml` are files. Comments of HTML before a block say more: `within 5 s`, `runs on`, `varies: WORD …`, `file: NAME` for a file in a
 * language that has no comments.
 */
export function parseGuide(markdown: string): Guide {
  const steps: GuideStep[] = [];
  const varying: string[] = [];
  let notes: string[] = [];
  const form = /^<!-- (?<note>.*?) -->$|^```(?<language>\w*)\n(?<body>.*?)^```$/gms;
  for (const { groups = {} } of markdown.matchAll(form)) {
    const { note, language, body = '' } = groups;
    if (note !== undefined) {
      varying.push(...(/^varies: (.*)$/.exec(note)?.[1]?.split(' ') ?? []));
      notes.push(note);
      continue;
    }
    if (language === 'console') steps.push(...commandsOf(body, notes));
    const file = language === 'yaml' ? /^# (\S+\.yaml)(, at its end)?$/m.exec(body) : null;
    const named = notes.map((one) => /^file: (\S+)$/.exec(one)?.[1]).find((found) => found !== undefined);
    if (named !== undefined) steps.push({ kind: 'file', name: named, text: body, append: false });
    if (file !== null)
      steps.push({ kind: 'file', name: file[1] ?? '', text: body, append: file[2] !== undefined });
    notes = [];
  }
  return { steps, varying };
}

function commandsOf(body: string, notes: readonly string[]): GuideCommand[] {
  const seconds = notes
    .map((note) => /^within (\d+) s$/.exec(note)?.[1])
    .find((found) => found !== undefined);
  const commands: { terminal: GuideTerminalName; command: string; output: string[] }[] = [];
  for (const line of body.split('\n')) {
    const prompt = Object.keys(prompts).find((one) => line.startsWith(one));
    const last = commands.at(-1);
    if (prompt !== undefined)
      commands.push({ terminal: prompts[prompt]!, command: line.slice(prompt.length), output: [] });
    else if (last === undefined) commands.push({ terminal: 'gateway', command: '', output: [line] });
    else if (last.command.endsWith('\\')) last.command += `\n${line}`;
    else last.output.push(line);
  }
  const withinMs = Number(seconds ?? 0) * 1000;
  const runsOn = notes.includes('runs on');
  return commands.map(({ terminal, command, output }) => {
    return { kind: 'command', terminal, command, output, withinMs, runsOn };
  });
}

/** Texts that differ from run to run, and by which form they are found. */
const varyingForms: readonly string[] = [
  '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}',
  '\\b[0-9a-f]{32}\\b',
  '\\b[0-9a-f]{12}\\b',
  '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?Z',
  '\\b\\d\\d:\\d\\d:\\d\\d\\.\\d{3}\\b',
  '\\b\\d+m?s\\b',
  // Columns of the audit: sent, received, ms.
  '\\b\\d+ k?B \\d+ k?B \\d+$',
  '- - \\d+$',
];

/**
 * Compares what was printed with what is shown: spaces count as one, empty lines as none, `…` stands for anything within a
 * line or, alone in its line, for any lines. A word that varies must be the same one wherever the guide shows the same.
 */
export class GuideOutput {
  readonly #form: RegExp;
  readonly #actual = new Map<string, string>();

  constructor(varying: readonly string[]) {
    this.#form = new RegExp([...varying.map((word) => `\\b${word}\\b`), ...varyingForms].join('|'), 'g');
  }

  /** The text of a later step with the words of this run. */
  inThisRun(text: string): string {
    return text.replaceAll(this.#form, (word) => this.#actual.get(word) ?? word);
  }

  /** Undefined if it fits, else what does not. `prefix`: more may follow. */
  mismatch(shown: readonly string[], printed: string, prefix = false): string | undefined {
    const words: string[] = [];
    const lines = shown.filter((line) => line.trim() !== '').map((line) => this.#lineForm(line, words));
    const form = new RegExp(`^${lines.join('')}${prefix ? '[^]*' : ''}$`);
    const found = form.exec(normalised(printed));
    if (found === null) return `shown:\n${shown.join('\n')}\nprinted:\n${printed}`;
    const bound = new Map(this.#actual);
    for (const [index, word] of words.entries()) {
      const actual = found[index + 1] ?? '';
      if ((bound.get(word) ?? actual) !== actual && isIdentity(word))
        return `${word} was ${bound.get(word)}, and is ${actual} in:\n${printed}`;
      bound.set(word, actual);
    }
    for (const [word, actual] of bound) this.#actual.set(word, actual);
    return undefined;
  }

  #lineForm(shown: string, words: string[]): string {
    const line = normalised(shown).trimEnd();
    if (line === '…') return '(?:[^\\n]*\\n)*?';
    let form = '';
    let end = 0;
    for (const { 0: word, index } of line.matchAll(this.#form)) {
      const kind = varyingForms.find((one) => new RegExp(`^(?:${one})$`).test(word)) ?? '[a-z0-9]+';
      form += `${literal(line.slice(end, index))}(${kind.replace(/\$$/, '')})`;
      words.push(word);
      end = index + word.length;
    }
    return `${form}${literal(line.slice(end))}\\n`;
  }
}

/** Times and durations are others with each line; ids are not. */
function isIdentity(word: string): boolean {
  return !/^\d+m?s$|:\d\d|[B-] \d+$/.test(word);
}

function literal(text: string): string {
  return text
    .split('…')
    .map((part) => RegExp.escape(part))
    .join('[^\\n]*');
}

function normalised(text: string): string {
  const lines = text.split('\n').map((line) => line.replaceAll(/\s+/g, ' ').trim());
  return lines
    .filter((line) => line !== '')
    .map((line) => `${line}\n`)
    .join('');
}
