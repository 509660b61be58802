// Fuzz target: what a client of SSH asks to run (`c`), the commands of a push over SSH (`p`), the connection below SSH (`w`) and recordings
// of shells that were changed on the disk (`r`), as latin1 text. Options as in run-target.ts.

import assert from 'node:assert/strict';
import { duplexPair, type Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';

import { readPieces, sealPiece } from '../src/gateway/captured/recording-form.ts';
import { PushGate } from '../src/gateway/ssh/push-gate.ts';
import { SideBounds, SshWire } from '../src/gateway/ssh/ssh-wire.ts';
import type { PushCommands } from '../src/policy/git-commands.ts';
import { readSshCommand, sshCommandText } from '../src/policy/ssh-request.ts';
import { defaultLimits } from '../src/protocol/limits.ts';
import { pick, pieces, type Random, runTarget } from './run-target.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const words =
  "git-upload-pack |git-receive-pack |git upload-pack |git-upload-archive |'|acme/app|/|.git|..|.|-|~|\\|;|\n| |$(id)|@|--strict|é|\0".split(
    '|',
  );
const segments = ['acme', 'app', '/', '/', '.git', '.', '..', '-', '~', '@', '+'];
const [none, some] = ['0'.repeat(40), 'a'.repeat(40)];
const packet = (text: string): string => (text.length + 4).toString(16).padStart(4, '0') + text;
const packets = [
  packet(`${none} ${some} refs/heads/a\0report-status\n`),
  packet(`${some} ${none} refs/heads/b`),
  packet(`${none} ${some} refs/heads/a\0push-options`),
  packet('option'),
  packet(`shallow ${some}`),
  packet('push-cert\0push-options'),
  '0000',
  '0000',
  '0001',
  '0004',
  'PACK',
];

function generate(random: Random): string {
  switch (random(4)) {
    case 0: {
      const isPlain = random(2) === 0;
      const path =
        random(2) === 0 ? pick(random, ['acme/app', '/a.git', 'a.b/c+d.git']) : pieces(random, segments, 6);
      return `c${isPlain ? `${pick(random, words.slice(0, 3))}'${path}'` : pieces(random, words, 8)}`;
    }
    case 1:
      return `p${pieces(random, packets, 5)}`;
    case 2:
      return `w${Array.from({ length: random(12) }, () => String.fromCharCode(random(256))).join('')}`;
    default:
      return `r${Array.from({ length: 1 + random(6) }, () => String.fromCharCode(random(256))).join('')}`;
  }
}

/** Words as a shell reads them where nothing in it is special but single quotes; undefined: it holds something else. */
function shellWords(text: string): readonly string[] | undefined {
  if (!/^(?:[A-Za-z0-9._+@/ -]|'[^']*')*$/.test(text)) return undefined;
  return [...text.matchAll(/(?:[^ ']|'[^']*')+/g)].map(([word]) => word.replaceAll("'", ''));
}

function checkCommand(text: string): boolean {
  const request = readSshCommand(text);
  if (request.kind === 'command') {
    assert.equal(sshCommandText(request, true), text);
    return false;
  }
  const { repository, hasSuffix, operation } = request;
  for (const segment of repository.split('/')) assert.match(segment, /^(?!\.\.?$|.*\.git$)[\w.+@][\w.+@-]*$/);
  const service = operation === 'push' ? 'git-receive-pack' : 'git-upload-pack';
  const path = `${repository}${hasSuffix ? '.git' : ''}`;
  // A shell reads of what came, and of what goes on, the same as was judged.
  const came = shellWords(text)?.join(' ').replace('git ', 'git-').replace(' /', ' ');
  assert.equal(came, `${service} ${path}`);
  for (const isAbsolute of [false, true]) {
    const anew = sshCommandText(request, isAbsolute);
    assert.deepEqual(shellWords(anew), [service, `${isAbsolute ? '/' : ''}${path}`]);
    assert.deepEqual(readSshCommand(anew), request);
  }
  return true;
}

async function checkPush(bytes: Buffer): Promise<boolean> {
  const whole = await pushed(bytes, bytes.length);
  for (const step of [1, 3])
    assert.deepEqual(await pushed(bytes, step), whole, 'the way it arrives changes the result');
  const { toServer, judged } = whole;
  if (judged === undefined) assert.ok(toServer === '' || toServer === '0000', 'nothing goes on unjudged');
  else assert.equal(toServer, bytes.toString('latin1'), 'what goes on is not what came');
  return judged !== undefined;
}

async function pushed(bytes: Buffer, step: number) {
  const seen: { toServer: string; judged?: readonly unknown[]; broken?: string } = { toServer: '' };
  const gate = new PushGate({
    limits: defaultLimits,
    judge: ({ updates, options }: PushCommands) => {
      seen.judged = [updates, options];
      return { kind: 'allowed' };
    },
    broken: (error) => (seen.broken ??= error.message),
  });
  gate.throughClient.on('data', (chunk: Buffer) => (seen.toServer += chunk.toString('latin1')));
  for (let at = 0; at < bytes.length; at += step) gate.throughClient.write(bytes.subarray(at, at + step));
  await turn();
  gate.throughClient.destroy();
  gate.throughServer.destroy();
  return seen;
}

/** Each octet says how much is written, and whether the other side takes something before the next. */
async function checkWire(script: Buffer): Promise<boolean> {
  const [near, far] = duplexPair();
  const limits = { ...defaultLimits, sshWaitingOctetsMax: 2000 };
  const wire = new SshWire(near, new SideBounds(limits, () => undefined));
  for (const one of [wire, far]) one.on('error', () => undefined);
  let [given, came, back] = ['', '', ''];
  const heard: number[] = [];
  const taken = (stream: Readable): string => ((stream.read() as Buffer | null) ?? '').toString('latin1');
  wire.on('data', (chunk: Buffer) => (back += chunk.toString('latin1')));
  let sent = '';
  for (const [i, octet] of script.entries()) {
    const piece = String.fromCharCode(octet).repeat((octet & 0x7f) * 40 + 1);
    given += piece;
    wire.write(latin1(piece));
    wire.whenWritten(given.length, () => heard.push(i));
    far.write(latin1(piece.slice(0, 100)));
    sent += piece.slice(0, 100);
    if (octet >= 0x80) await turn();
    if (octet >= 0x80) came += taken(far);
  }
  for (let quiet = 0; quiet < 3;) {
    await turn();
    const more = taken(far);
    came += more;
    quiet = more === '' && came.length === given.length && back.length === sent.length ? quiet + 1 : 0;
  }
  assert.equal(came, given);
  assert.equal(back, sent);
  assert.deepEqual(heard, [...script.keys()], 'each is heard once, in order');
  wire.destroy();
  return script.length > 0;
}

async function checkRecording(script: Buffer): Promise<boolean> {
  const key = Buffer.alloc(32, 7);
  const texts = [...script].map((octet) => `[0,"o","${octet}"]\n`);
  const whole = Buffer.concat(
    texts.map((text, number) => sealPiece(key, 'id', { number, isLast: number === texts.length - 1, text })),
  );
  const all = { text: texts.join(''), isWhole: true, bytes: whole.length };
  assert.deepEqual(await readPieces(key, 'id', whole), all);
  const at = ((script[0] ?? 0) * 31 + (script[1] ?? 0)) % whole.length;
  const changed = Buffer.from(whole);
  changed[at] = (changed[at] ?? 0) ^ (1 + ((script[2] ?? 0) % 255));
  for (const kept of [changed, whole.subarray(0, at), Buffer.concat([whole, script])]) {
    const read = await readPieces(key, 'id', kept);
    assert.equal(read.isWhole, false);
    assert.ok(all.text.startsWith(read.text), 'nothing is read that was not written, nor in another order');
  }
  assert.equal((await readPieces(key, 'another', whole)).text, '');
  return true;
}

await runTarget({
  name: 'ssh-session',
  generate,
  check(input) {
    const rest = input.slice(1);
    switch (input[0]) {
      case 'c':
        return checkCommand(rest);
      case 'p':
        return checkPush(latin1(rest));
      case 'w':
        return checkWire(latin1(rest));
      default:
        return rest === '' ? false : checkRecording(latin1(rest));
    }
  },
});
