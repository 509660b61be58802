// A policy that somebody writes: its files, under which name it is published, and which published version it is to replace.

export interface DraftFile {
  readonly name: string;
  readonly text: string;
}

export interface PolicyDraft {
  readonly policy: string;
  /** `claim=value, …` of the sessions that it is for; empty: as before. */
  readonly forWhom: string;
  readonly files: readonly DraftFile[];
  /** Which of the files is shown. */
  readonly at: number;
  /** The number of the version that it was begun from; 0: none was published; undefined: it was not looked at. */
  readonly seen: number | undefined;
  /** A line of the shown file that is to be seen, once for each object. */
  readonly goTo?: { readonly line: number } | undefined;
}

export const emptyDraft: PolicyDraft = {
  policy: 'main',
  forWhom: '',
  files: [{ name: 'draft.yaml', text: '' }],
  at: 0,
  seen: undefined,
};

export function draftText({ files, at }: PolicyDraft): string {
  return files[at]?.text ?? '';
}

export function withText(draft: PolicyDraft, text: string): PolicyDraft {
  return {
    ...draft,
    files: draft.files.map((file, i) => (i === draft.at ? { name: file.name, text } : file)),
  };
}

/** Whether there is something to check. */
export function isWritten({ files }: Pick<PolicyDraft, 'files'>): boolean {
  return files.some(({ text }) => text.trim() !== '');
}

/** As the API takes them; an empty file among others says nothing. */
export function sentFiles({ files }: Pick<PolicyDraft, 'files'>): DraftFile[] {
  return files.filter(({ text }) => text.trim() !== '').map(({ name, text }) => ({ name, text }));
}

/** As the API takes names of policies. */
export function isPolicyName(name: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,62}$/.test(name);
}

/** Those that are for every session whatever they say. */
export function isForAll(policy: string): boolean {
  return policy === 'main' || policy === 'ceiling';
}

/** The claims of `claim=value, …`; a text: what of it cannot be read. */
export function claimsOf(text: string): Readonly<Record<string, string>> | string {
  const claims = new Map<string, string>();
  for (const pair of text.split(',').map((one) => one.trim())) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    if (at < 1 || at === pair.length - 1) return pair;
    claims.set(pair.slice(0, at).trim(), pair.slice(at + 1).trim());
  }
  return Object.fromEntries(claims);
}

/** The draft with a rule more before all others of its file: one that asks, further on, would decide before a rule behind it. */
export function withFirstRule(draft: PolicyDraft, ruleText: string): PolicyDraft {
  const at = draft.files.findIndex(({ text }) => listIndent(text) !== undefined);
  const file = draft.files[at];
  if (file === undefined) return withRule(draft, ruleText);
  const [, ...given] = renamed(ruleText, ruleNames(draft)).trimEnd().split('\n');
  const lines = file.text.split('\n');
  const head = lines.findLastIndex((line) => /^rules:\s*(?:#.*)?$/.test(line)) + 1;
  const shift = ' '.repeat(listIndent(file.text) ?? 2);
  const put = given.map((line) => `${shift}${line.slice(2)}`);
  const text = [...lines.slice(0, head), ...put, '', ...lines.slice(head)].join('\n');
  const files = draft.files.map((one, i) => (i === at ? { name: one.name, text } : one));
  return { ...draft, files, at, goTo: { line: head + 1 } };
}

/** The draft with a rule more: `ruleText` is a file of a policy with that rule alone, as allow-rule.ts writes it. */
export function withRule(draft: PolicyDraft, ruleText: string): PolicyDraft {
  const [, ...given] = renamed(ruleText, ruleNames(draft)).trimEnd().split('\n');
  const at = draft.files.findIndex(({ text }) => isBlank(text) || listIndent(text) !== undefined);
  const file = draft.files[at];
  if (file === undefined) {
    const added = { name: freeName(draft.files), text: `rules:\n${given.join('\n')}\n` };
    const files = [...draft.files, added];
    return { ...draft, files, at: files.length - 1, goTo: { line: 2 } };
  }
  const before = isBlank(file.text) ? 'rules:' : file.text.trimEnd();
  const shift = isBlank(file.text) ? 2 : (listIndent(file.text) ?? 2);
  const lines = given.map((line) => `${' '.repeat(shift)}${line.slice(2)}`);
  const text = `${before}\n${isBlank(file.text) ? '' : '\n'}${lines.join('\n')}\n`;
  const line = text.split('\n').length - lines.length;
  const files = draft.files.map((one, i) => (i === at ? { name: one.name, text } : one));
  return { ...draft, files, at, goTo: { line } };
}

function isBlank(text: string): boolean {
  return text.trim() === '';
}

/** The column of the dashes of `rules:`, where a rule can be put behind all that the file says. */
function listIndent(text: string): number | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'));
  const top = lines.findLastIndex((line) => /^[^\s-]/.test(line));
  if (!/^rules:\s*(?:#.*)?$/.test(lines[top] ?? '')) return undefined;
  const column = /^( *)- /.exec(lines[top + 1] ?? '')?.[1]?.length;
  return column === undefined || lines.some((line) => /^(?:---|\.\.\.|\t)/.test(line)) ? undefined : column;
}

function ruleNames({ files }: PolicyDraft): ReadonlySet<string> {
  const names = files.flatMap(({ text }) =>
    text.split('\n').map((line) => /^[ -]*name: *(.*)$/.exec(line)?.[1]?.trim() ?? ''),
  );
  return new Set(names.map((name) => name.replaceAll(/["']/g, '')));
}

function renamed(ruleText: string, taken: ReadonlySet<string>): string {
  const name = /^ {2}- name: (.*)$/m.exec(ruleText)?.[1];
  if (name === undefined) return ruleText;
  let free = name;
  for (let count = 2; taken.has(free); count += 1) free = `${name}-${count}`;
  // Comments before it may have the same words.
  return ruleText.replace(/^ {2}- name: .*$/m, () => `  - name: ${free}`);
}

function freeName(files: readonly DraftFile[]): string {
  const taken = new Set(files.map(({ name }) => name));
  for (let count = 1; ; count += 1) {
    const name = count === 1 ? 'allowed.yaml' : `allowed-${count}.yaml`;
    if (!taken.has(name)) return name;
  }
}
