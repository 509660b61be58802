// Options of a push that a rule does not see, or reads otherwise than the server: generated lists and packets, held against a reading as
// git's own receive-pack does it.

import fc from 'fast-check';

import { PushCommandReader } from '../../../src/policy/git-commands.ts';
import { GitOptionPattern } from '../../../src/policy/git-option-pattern.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import { compilePolicy, testPrincipal } from '../../gateway/support/request-path.ts';
import type { AttackTable } from '../support/attack.ts';
import { searched, type Finding } from '../support/search.ts';

const packet = (line: string): string => (Buffer.byteLength(line) + 4).toString(16).padStart(4, '0') + line;
const command = `${'1'.repeat(40)} ${'2'.repeat(40)} refs/heads/agent/a`;

interface Body {
  readonly capabilities: string;
  readonly packets: readonly string[];
  readonly end: string;
  /** Of which the body is sent. */
  readonly pieceBytes: number;
}

const bodies: fc.Arbitrary<Body> = fc.record({
  capabilities: fc.constantFrom(
    'report-status push-options',
    'push-options',
    'push-options=1',
    'side-band-64k\tpush-options',
    'report-status',
    'x-push-options',
  ),
  packets: fc.array(
    fc.constantFrom(
      'ci.skip',
      'merge_request.create\n',
      'a\nmerge_request.create',
      'a\0b',
      'ERR no',
      'x=1',
      '',
    ),
    { maxLength: 4 },
  ),
  end: fc.constantFrom('0000', '0000', '0001', ''),
  pieceBytes: fc.integer({ min: 1, max: 60 }),
});

const octetsOf = ({ capabilities, packets, end }: Body): Buffer =>
  Buffer.from(`${packet(`${command}\0${capabilities}`)}0000${packets.map(packet).join('')}${end}PACK`);

/** receive-pack: the word between white space or before an equals sign; lines up to a flush, each up to its first null. */
function asGitReads({ capabilities, packets }: Body): readonly string[] {
  if (!/(?:^|\s)push-options(?:[\s=]|$)/.test(capabilities)) return [];
  return packets.map((line) => line.replace(/\n$/, '').split('\0')[0] ?? '');
}

function readOtherwise(body: Body, read: (octets: Buffer) => readonly string[] | undefined): Finding {
  const options = read(octetsOf(body));
  if (options === undefined) return undefined;
  const asRead = asGitReads(body);
  const isSame =
    options.length === asRead.length && options.every((one, i) => one === asRead[i] && !/[\n\r]/.test(one));
  return isSame ? undefined : `${JSON.stringify(options)} is read as ${JSON.stringify(asRead)}`;
}

/** Undefined: refused, or it waits for more. */
function ourReading(octets: Buffer, pieceBytes: number): readonly string[] | undefined {
  const reader = new PushCommandReader();
  try {
    for (let at = 0; at < octets.length; at += pieceBytes) {
      const commands = reader.push(octets.subarray(at, at + pieceBytes));
      if (commands !== undefined) return commands.options;
    }
  } catch {
    // Refused.
  }
  return undefined;
}

const word = fc.constantFrom(
  'merge_request',
  '.',
  'create',
  'merge_when_pipeline_succeeds',
  'target=',
  'main',
  'ci.skip',
  '/',
  'MERGE_request',
  '*',
  'ſkip',
);
const option = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join(''));
const options = fc.array(option, { minLength: 1, maxLength: 4 });

function decided(rule: string, pushOptions: readonly string[]): string {
  const policy = compilePolicy(`rules:\n${rule}`);
  const access = {
    depth: 'request',
    destination: { scheme: 'https', host: 'git.test', port: 443 },
    method: 'POST',
    path: '/acme/app.git/git-receive-pack',
    query: '',
    headers: new HeaderList(),
    pushed: [{ ref: 'refs/heads/agent/a', change: 'update' }],
    pushOptions,
  } as const;
  return policy.decide(testPrincipal('alice'), access, 0).effect;
}

const allowing = `  - { name: mine, hosts: git.test, git: { repository: acme/app, operations: push, refs: refs/heads/agent/**, options: ['ci.*', 'merge_request.create*'] } }`;
const denying = `  - { name: no, hosts: git.test, deny: no, git: { operations: push, options: ['merge_request.merge_*', 'ci.skip'] } }
  - { name: all, hosts: git.test, git: { repository: acme/app, operations: push, options: '*' } }`;
const isNamed = (one: string): boolean => one.startsWith('ci.') || one.startsWith('merge_request.create');
const isDenied = (one: string): boolean => {
  const lower = one.normalize('NFC').toLowerCase();
  return lower.startsWith('merge_request.merge_') || lower === 'ci.skip';
};

function letThrough(given: readonly string[], effect: string): Finding {
  return effect === 'allow' && !given.every(isNamed) ? `${given.join(' ')} went through` : undefined;
}

function notDenied(given: readonly string[], effect: string): Finding {
  return effect === 'allow' && given.some(isDenied) ? `${given.join(' ')} went through` : undefined;
}

interface Globbed {
  readonly pattern: string;
  readonly text: string;
}

const globs: fc.Arbitrary<Globbed> = fc.record({
  pattern: fc
    .array(fc.constantFrom('a', 'b', '*', '/', '.'), { minLength: 1, maxLength: 7 })
    .map((one) => one.join('')),
  text: fc.array(fc.constantFrom('a', 'b', '/', '.', '*'), { maxLength: 9 }).map((one) => one.join('')),
});

/** By taking the text apart, which is slow and plain. */
function globMatches(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern[0] === '*')
    return globMatches(pattern.slice(1), text) || (text !== '' && globMatches(pattern, text.slice(1)));
  return pattern[0] === text[0] && globMatches(pattern.slice(1), text.slice(1));
}

function widened({ pattern, text }: Globbed, matches: boolean): Finding {
  return matches === globMatches(pattern, text) ? undefined : `${pattern} and ${text}: ${matches}`;
}

export const pushOptions: AttackTable = {
  'PUSH-01': searched({
    seed: 2801,
    inputs: bodies,
    runs: 2000,
    ours: (body) => readOtherwise(body, (octets) => ourReading(octets, body.pieceBytes)),
    // As readers did that stop at the first flush.
    naive: (body) => readOtherwise(body, () => []),
  }),
  'PUSH-02': searched({
    seed: 2802,
    inputs: options,
    ours: (given) => letThrough(given, decided(allowing, given)),
    naive: (given) => letThrough(given, isNamed(given[0] ?? '') ? 'allow' : 'deny'),
  }),
  'PUSH-03': searched({
    seed: 2803,
    inputs: options,
    ours: (given) => notDenied(given, decided(denying, given)),
    naive: (given) =>
      notDenied(given, given.some((one) => one.startsWith('merge_request.merge_')) ? 'deny' : 'allow'),
  }),
  'PUSH-04': searched({
    seed: 2804,
    inputs: globs,
    runs: 5000,
    ours: (input) => {
      const pattern = GitOptionPattern.parse(input.pattern);
      return typeof pattern === 'string' ? pattern : widened(input, pattern.matches(input.text));
    },
    // A pattern that becomes an expression without being quoted.
    naive: (input) => widened(input, new RegExp(`^${input.pattern.replaceAll('*', '.*')}$`).test(input.text)),
  }),
};
