import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PushCommandReader } from '../../src/policy/git-commands.ts';
import type { PushCommands } from '../../src/policy/git-commands.ts';
import { ProxyError } from '../../src/protocol/error.ts';

const none = '0'.repeat(40);
const [one, two] = ['1'.repeat(40), '2'.repeat(40)];
const flush = '0000';
const packet = (line: string): string => (Buffer.byteLength(line) + 4).toString(16).padStart(4, '0') + line;
const command = (ref: string, before = one, after = two): string => `${before} ${after} ${ref}`;

function read(text: string | Buffer, pieceBytes = Infinity): PushCommands | undefined {
  const bytes = Buffer.from(text);
  const reader = new PushCommandReader();
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const commands = reader.push(bytes.subarray(at, at + pieceBytes));
    if (commands !== undefined) return commands;
  }
  return undefined;
}

test('commands are read up to the flush, in pieces of any size, and the pack is not looked at', () => {
  const text =
    packet(`${command('refs/heads/a', none)}\0 report-status side-band-64k agent=git/2`) +
    packet(`${command('refs/heads/b')}\n`) +
    packet(`shallow ${one}`) +
    packet(command('refs/tags/ü', one, none)) +
    flush;
  for (const size of [1, 2, 3, 5, 64, Infinity]) {
    const commands = read(`${text}PACK\0\0\0\u0002zzzz`, size);
    assert.deepEqual(commands?.updates, [
      { ref: 'refs/heads/a', change: 'create' },
      { ref: 'refs/heads/b', change: 'update' },
      { ref: 'refs/tags/ü', change: 'delete' },
    ]);
    assert.deepEqual([...commands.capabilities], ['report-status', 'side-band-64k', 'agent=git/2']);
  }
  assert.equal(read(text.slice(0, -1)), undefined);
});

test('an empty list, by which git asks whether it may, has no commands', () => {
  assert.deepEqual(read(flush)?.updates, []);
});

test('SHA-256 repositories have longer object names', () => {
  const commands = read(packet(`${'a'.repeat(64)} ${'0'.repeat(64)} refs/heads/a`) + flush);
  assert.deepEqual(commands?.updates, [{ ref: 'refs/heads/a', change: 'delete' }]);
});

const certificate = (lines: readonly string[]): string =>
  [packet('push-cert\0report-status\n'), ...lines.map((line) => packet(`${line}\n`)), flush].join('');
const signed = ['certificate version 0.1', 'pusher a <a@example.com>', 'nonce 1', ''];
const signature = ['-----BEGIN SSH SIGNATURE-----', 'AAAA', '-----END SSH SIGNATURE-----', 'push-cert-end'];

test('the commands of a signed push stand in its certificate', () => {
  const commands = read(certificate([...signed, command('refs/heads/main'), ...signature]));
  assert.deepEqual(commands?.updates, [{ ref: 'refs/heads/main', change: 'update' }]);
  assert.ok(commands.capabilities.has('report-status'));
});

describe('what two servers could read in two ways is refused', () => {
  const rows: readonly [string, string | Buffer][] = [
    ['a length that is none', '00zz'],
    ['a delimiter of protocol 2', '0001'],
    ['a packet without content', '0004'],
    ['a packet over the limit of git', 'fff1'],
    ['no command', packet('hello')],
    ['two spaces', packet(`${one}  ${two} refs/heads/a`)],
    ['object names of different lengths', packet(`${one} ${'2'.repeat(64)} refs/heads/a`)],
    ['object names in capital letters', packet(`${'A'.repeat(40)} ${two} refs/heads/a`)],
    ['a ref outside of refs/', packet(command('HEAD'))],
    ['a line inside of a ref', packet(`${command('refs/heads/a')}\nx`)],
    ['two lines at the end', packet(`${command('refs/heads/a')}\n\n`)],
    ['a ref with dots', packet(command('refs/heads/agent/../main'))],
    ['a ref with an empty segment', packet(command('refs/heads//main'))],
    ['a ref with a blank', packet(command('refs/heads/a b'))],
    ['a ref that ends with .lock', packet(command('refs/heads/a.lock'))],
    ['a ref that is a pattern', packet(command('refs/heads/*'))],
    [
      'bytes that are not UTF-8',
      Buffer.concat([
        Buffer.from(`0069${command('refs/heads/')}`),
        Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      ]),
    ],
    [
      'capabilities behind the second command',
      packet(command('refs/heads/a')) + packet(`${command('refs/heads/b')}\0x`),
    ],
    ['capabilities twice', packet(`${command('refs/heads/a')}\0x\0y`)],
    ['a certificate without an end', certificate([...signed, command('refs/heads/a')])],
    ['a certificate without a signature', certificate([...signed, command('refs/heads/a'), 'push-cert-end'])],
    [
      'a certificate with two signatures',
      certificate([...signed, ...signature.slice(0, 3), command('refs/heads/a'), ...signature]),
    ],
    [
      'a certificate with two lines in a packet',
      certificate(['certificate version 0.1', `nonce 1\n\n${command('refs/heads/main')}`, '', ...signature]),
    ],
    [
      'a certificate with a packet that is no line',
      certificate([...signed]).slice(0, -4) +
        packet(command('refs/heads/a')) +
        certificate(signature).slice(packet('push-cert\0report-status\n').length),
    ],
    ['two certificates', certificate([...signed, ...signature]).slice(0, -4) + packet('push-cert')],
  ];
  for (const [name, text] of rows) {
    test(name, () => {
      assert.throws(
        () => read(text),
        (error) => error instanceof ProxyError && error.code === 'request_malformed',
      );
    });
  }
});

test('bytes of any kind give commands, a wait or a refusal, the same in pieces of any size', () => {
  const outcome = (bytes: Buffer, size: number): string => {
    try {
      const commands = read(bytes, size);
      return commands === undefined ? 'wait' : JSON.stringify(commands.updates);
    } catch (error) {
      assert.ok(error instanceof ProxyError, String(error));
      return error.message;
    }
  };
  const ref = fc.constantFrom('refs/heads/a', 'refs/tags/v1', 'refs/heads/a.lock', 'main');
  const id = fc.constantFrom(none, one, two, '3'.repeat(64));
  const line = fc.oneof(
    fc.tuple(id, id, ref).map((parts) => parts.join(' ')),
    fc.constantFrom(
      'push-cert',
      'push-cert-end\n',
      '\n',
      '-----BEGIN SSH SIGNATURE-----\n',
      `shallow ${one}`,
    ),
    fc.string({ maxLength: 8 }),
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }).map((some) => Buffer.from(some)),
    fc.array(line, { maxLength: 8 }).map((lines) => Buffer.from(lines.map(packet).join('') + flush)),
  );
  fc.assert(
    fc.property(bytes, fc.integer({ min: 1, max: 40 }), (some, size) => {
      assert.equal(outcome(some, size), outcome(some, Infinity));
    }),
    { numRuns: 500 },
  );
});

const capable = (options: string): string => packet(`${command('refs/heads/a')}\0report-status ${options}`);

test('options stand behind the commands where the client says that it sends them, and only there', () => {
  const text = `${capable('push-options')}${flush}${packet('ci.skip\n')}${packet('a=b c/ü')}${flush}PACK`;
  for (const size of [1, 2, 3, 7, Infinity])
    assert.deepEqual(read(text, size)?.options, ['ci.skip', 'a=b c/ü'], `${size}`);
  assert.equal(read(`${capable('push-options')}${flush}${packet('ci.skip')}`), undefined);
  assert.deepEqual(read(`${capable('push-options')}${flush}${flush}PACK`)?.options, []);
  assert.deepEqual(read(`${capable('side-band-64k')}${flush}${packet('ci.skip')}${flush}`)?.options, []);
  // Without a command no server reads any.
  assert.deepEqual(read(`${packet(`shallow ${one}`)}${flush}${packet('ci.skip')}${flush}`)?.options, []);
});

describe('options that two servers could read in two ways are refused', () => {
  const rows: readonly [name: string, text: string][] = [
    ['the word before an equals sign', `${capable('push-options=1')}${flush}${flush}`],
    ['the word behind a tab', `${capable('a\tpush-options')}${flush}${flush}`],
    ['a line end', `${capable('push-options')}${flush}${packet('ci.skip\nmr.create')}${flush}`],
    ['a null', `${capable('push-options')}${flush}${packet('ci.skip\0mr.create')}${flush}`],
    ['an error', `${capable('push-options')}${flush}${packet('ERR no')}${flush}`],
    ['a delimiter', `${capable('push-options')}${flush}0001${flush}`],
    ['no text at all', `${capable('push-options')}${flush}0004${flush}`],
  ];
  for (const [name, text] of rows)
    test(name, () => {
      assert.throws(() => read(text), { code: 'request_malformed' });
    });
});

test('a signed push has the options of its certificate', () => {
  const list = (head: readonly string[], options: string): string =>
    [
      packet('push-cert\0report-status push-options\n'),
      ...[...head, '', command('refs/heads/main'), ...signature].map((line) => packet(`${line}\n`)),
      flush,
      options,
      flush,
    ].join('');
  const head = ['certificate version 0.1', 'push-option ci.skip'];
  assert.deepEqual(read(list(head, packet('ci.skip')))?.options, ['ci.skip']);
  for (const options of ['', packet('other'), packet('ci.skip') + packet('ci.skip')])
    assert.throws(() => read(list(head, options)), /its options are not those of its certificate/);
  assert.throws(() => read(list(['certificate version 0.1'], packet('ci.skip'))), /certificate/);
});
