import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { ClientCommands } from '../../../../src/gateway/databases/redis/client-commands.ts';
import { commandOf } from '../../../../src/gateway/databases/redis/resp.ts';
import { StandIns } from '../../../../src/gateway/databases/redis/stand-in.ts';
import { RedisCommands } from '../../../../src/policy/redis-end.ts';
import { cuts, inPieces } from './pieces.ts';

const mark = 'upstreamproxy.ab.';
const rule = { allow: ['default', 'config'], deny: ['keys', 'config|get'] };

function take(pieces: readonly Uint8Array[]) {
  const passed: string[] = [];
  const refused: (string | undefined)[] = [];
  const commands = new ClientCommands(new RedisCommands(rule), new StandIns('ab', 'cache'), {
    passed: (name) => void passed.push(name),
    refused: (name) => void refused.push(name),
  });
  const went: Uint8Array[] = [];
  let broken: string | undefined;
  for (const piece of pieces) {
    const taken = commands.take(piece);
    assert.ok(
      broken === undefined || taken.pieces.length === 0,
      'nothing goes on behind what cannot be read',
    );
    went.push(...taken.pieces);
    broken ??= taken.broken;
  }
  return { went: Buffer.concat(went).toString('latin1'), passed, refused, broken };
}

const said = (text: string) => take([Buffer.from(text, 'latin1')]);
const command = (...words: readonly string[]): string => Buffer.from(commandOf(words)).toString('latin1');
const standIn = (what: string): string => command(`${mark}${what}`);

/** What a client sends, what goes on of it, and what is said of it. */
const conversation: readonly (readonly [
  sent: string,
  went: string,
  passed?: string,
  refused?: string | undefined,
])[] = [
  [command('GET', 'a'), command('GET', 'a'), 'get'],
  [command('set', 'a', 'x'.repeat(300)), command('set', 'a', 'x'.repeat(300)), 'set'],
  [command('set', '', '\r\n*1\r\n$4\r\nKEYS\r\n'), command('set', '', '\r\n*1\r\n$4\r\nKEYS\r\n'), 'set'],
  [command('MULTI'), command('MULTI'), 'multi'],
  [command('CLIENT', 'SetName', 'me'), command('CLIENT', 'SetName', 'me'), 'client|setname'],
  [command('XGROUP', 'CREATE', 'a'), command('XGROUP', 'CREATE', 'a'), 'xgroup|create'],
  [command('config', 'set', 'a', 'b'), command('config', 'set', 'a', 'b'), 'config|set'],
  [command('KEYS', '*'), standIn('denied.keys'), undefined, 'keys'],
  [command('EVAL', 'x'.repeat(99), '0'), standIn('denied.eval'), undefined, 'eval'],
  [command('CLIENT', 'KILL', 'x'), standIn('denied.client|kill'), undefined, 'client|kill'],
  [command('CLIENT'), standIn('denied.client'), undefined, 'client'],
  [command('CLIENT', 'x'.repeat(99)), standIn('denied.client'), undefined, 'client'],
  [command('CLIENT', '\xff'), standIn('denied.client'), undefined, 'client'],
  [command('Config', 'Get', 'requirepass'), standIn('denied.config|get'), undefined, 'config|get'],
  [command('config|get', 'requirepass'), standIn('denied.config|get'), undefined, 'config|get'],
  [command('y'.repeat(65), '0'), standIn('denied.'), undefined, 'none'],
  [command('', '0'), standIn('denied.'), undefined, 'none'],
  [command(' get', '0'), standIn('denied.'), undefined, 'none'],
  [command('RESET'), standIn('denied.reset'), undefined, 'reset'],
  [command('PSYNC', '?', '-1'), standIn('denied.psync'), undefined, 'psync'],
  [command('AUTH', 'secret'), standIn('taken.')],
  [command('auth', 'me', 'secret'), standIn('taken.')],
  [command('AUTH'), standIn('arity.'), undefined, 'none'],
  [command('AUTH', 'a', 'b', 'c'), standIn('arity.'), undefined, 'none'],
  [command('HELLO'), command('HELLO'), 'hello'],
  [command('HELLO', '3'), command('HELLO', '3'), 'hello'],
  [command('hello', '3', 'auth', 'me', 'secret'), command('hello', '3'), 'hello'],
  [
    command('HELLO', '2', 'AUTH', 'AUTH', 'SETNAME', 'SETNAME', 'AUTH', 'AUTH', 'a', 'secret'),
    command('HELLO', '2', 'SETNAME', 'AUTH'),
    'hello',
  ],
  [command('HELLO', '3', 'AUTH', 'me'), standIn('hello.'), 'hello', 'none'],
  [command('HELLO', '3', 'AUTHX', 'me', 'x'), standIn('hello.'), 'hello', 'none'],
  [command('HELLO', ...Array.from({ length: 10 }, () => 'x')), standIn('hello.'), undefined, 'none'],
  [command('HELLO', '3', 'SETNAME', 'x'.repeat(16_385)), standIn('hello.'), 'hello', 'none'],
  ['*0\r\n', ''],
  ['*-1\r\n', ''],
  ['\r\n', ''],
  ['PING\r\n', command('PING'), 'ping'],
  ['  get \t a\n', command('get', 'a'), 'get'],
  ['keys *\r\n', standIn('denied.keys'), undefined, 'keys'],
  ['CONFIG GET *\r\n', standIn('denied.config|get'), undefined, 'config|get'],
  ['AUTH secret\r\n', standIn('taken.')],
  ['HELLO 3 AUTH me secret\r\n', command('HELLO', '3'), 'hello'],
];

test('each command goes on, or another goes in its place, and is told of by its name alone', () => {
  for (const [sent, went, passed, refused] of conversation) {
    const taken = said(sent);
    assert.equal(taken.went, went, sent);
    assert.deepEqual(taken.passed, passed === undefined ? [] : [passed], sent);
    assert.deepEqual(
      taken.refused,
      refused === undefined ? [] : [refused === 'none' ? undefined : refused],
      sent,
    );
    assert.equal(taken.broken, undefined, sent);
    assert.doesNotMatch(taken.went, /secret/);
  }
});

test('what goes on is the same in whatever pieces it comes', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...conversation), { maxLength: 8 }), cuts, (turns, where) => {
      const bytes = Buffer.from(turns.map(([sent]) => sent).join(''), 'latin1');
      const taken = take(inPieces(bytes, where));
      assert.equal(taken.went, turns.map(([, went]) => went).join(''));
      assert.equal(taken.broken, undefined);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('what servers may read in another way is read by nobody: nothing behind it goes on', () => {
  const first = command('GET', 'a');
  for (const bad of [
    '*1\n$4\r\nPING\r\n',
    '*1\rX$4\r\nPING\r\n',
    '*01\r\n$4\r\nPING\r\n',
    '*+1\r\n$4\r\nPING\r\n',
    '* 1\r\n$4\r\nPING\r\n',
    '*-2\r\n',
    '*1x\r\n',
    '*\r\n',
    '*4294967297\r\n$4\r\nPING\r\n',
    `*${'1'.repeat(64)}\r\n`,
    '*1\r\n:4\r\nPING\r\n',
    '*1\r\n$-1\r\n',
    '*1\r\n$04\r\nPING\r\n',
    '*1\r\n$4\nPING\r\n',
    '*1\r\n$2147483648\r\n',
    '*1\r\n$4\r\nPINGxx',
    '*1\r\n$4\r\nPING\r\r\n',
    '*2\r\n$6\r\nCLIENT\r\n:1\r\n',
    '*3\r\n$4\r\nAUTH\r\nsecret',
    '*3\r\n$5\r\nHELLO\r\n$1\r\n3\r\n!',
    'get "a b"\r\n',
    "get 'a'\r\n",
    'get a\0b\r\n',
    'get \\x41\r\n',
    `${'x'.repeat(4_097)}`,
  ]) {
    fc.assert(
      fc.property(cuts, (where) => {
        const rest = command('GET', 'secret');
        const taken = take(inPieces(Buffer.from(`${first}${bad}${rest}`, 'latin1'), where));
        assert.equal(taken.broken, 'between', bad);
        assert.equal(taken.went, `${first}${standIn('malformed.')}${command('QUIT')}`, bad);
      }),
      { seed: 1, numRuns: 5 },
    );
  }
});

test('behind a part of a command that has gone on, nothing goes on', () => {
  for (const bad of [
    '*3\r\n$3\r\nSET\r\n$1\r\naXX',
    '*3\r\n$3\r\nSET\r\nPING\r\n',
    '*2\r\n$3\r\nGET\r\n$01\r\na\r\n',
  ]) {
    const taken = said(`${command('GET', 'a')}${bad}${command('GET', 'b')}`);
    assert.equal(taken.broken, 'within', bad);
    assert.equal(taken.went, command('GET', 'a'));
  }
});

test('a value of many octets is not held', () => {
  const commands = new ClientCommands(new RedisCommands(rule), new StandIns('ab', 'cache'), {
    passed: () => undefined,
    refused: () => undefined,
  });
  assert.equal(commands.take(Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\na\r\n$400000000\r\n')).pieces.length, 1);
  const piece = Buffer.alloc(65_536);
  for (let i = 0; i < 100; i += 1) {
    const [went, ...more] = commands.take(piece).pieces;
    assert.ok(went?.buffer === piece.buffer && more.length === 0);
  }
  // Nor is one of a command that does not go on.
  const denied = new ClientCommands(new RedisCommands(rule), new StandIns('ab', 'cache'), {
    passed: () => undefined,
    refused: () => undefined,
  });
  denied.take(Buffer.from('*2\r\n$4\r\nKEYS\r\n$400000000\r\n'));
  for (let i = 0; i < 100; i += 1) assert.deepEqual(denied.take(piece).pieces, []);
});
