import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { ServerReplies } from '../../../../src/gateway/databases/redis/server-replies.ts';
import { StandIns } from '../../../../src/gateway/databases/redis/stand-in.ts';
import { cuts, inPieces } from './pieces.ts';

const standIns = new StandIns('ab', 'cache');
const unknown = (what: string): string =>
  `-ERR unknown command 'upstreamproxy.ab.${what}', with args beginning with: \r\n`;

function take(pieces: readonly Uint8Array[]) {
  const replies = new ServerReplies((line) => standIns.response(line));
  const said: Uint8Array[] = [];
  let isBroken = false;
  for (const piece of pieces) {
    const taken = replies.take(piece);
    assert.ok(!isBroken || taken.pieces.length === 0);
    said.push(...taken.pieces);
    isBroken ||= taken.isBroken === true;
  }
  said.push(...replies.end());
  return { said: Buffer.concat(said).toString('latin1'), isBroken };
}

const passing = [
  '+OK\r\n',
  ':-12\r\n',
  '$5\r\nhello\r\n',
  '$0\r\n\r\n',
  '$-1\r\n',
  '*-1\r\n',
  '*0\r\n',
  '_\r\n',
  '#t\r\n',
  ',1.5\r\n',
  '(123456789012345678901234567890123456789012345678901234567890\r\n',
  '=7\r\ntxt:abc\r\n',
  '!9\r\nERR wrong\r\n',
  '-ERR wrong\r\n',
  `-ERR ${'x'.repeat(2000)}\r\n`,
  // Where a value has what stands in the place of our own words, it is a value.
  `$${String(unknown('denied.get').length)}\r\n${unknown('denied.get')}\r\n`,
  `*2\r\n${unknown('denied.get')}:1\r\n`,
  `>3\r\n+message\r\n+channel\r\n${unknown('denied.get')}`,
  `%1\r\n+key\r\n*2\r\n~1\r\n:1\r\n$3\r\n-ER\r\n`,
  '|1\r\n+ttl\r\n:3600\r\n$1\r\na\r\n',
  '|0\r\n:1\r\n',
  '*3\r\n*0\r\n$-1\r\n*1\r\n*1\r\n_\r\n',
];
const swapped: readonly (readonly [string, string])[] = [
  [unknown('taken.'), '+OK\r\n'],
  [unknown('arity.'), "-ERR wrong number of arguments for 'auth' command\r\n"],
  [unknown('hello.'), '-ERR rule cache: HELLO has an option that is not known here\r\n'],
  [unknown('denied.config|get'), "-NOPERM rule cache: the command 'config|get' is not passed on\r\n"],
  [unknown('denied.'), '-NOPERM rule cache: this command is not passed on\r\n'],
  // As another server has it.
  [
    '-ERR unknown command `upstreamproxy.ab.denied.keys`\r\n',
    "-NOPERM rule cache: the command 'keys' is not passed on\r\n",
  ],
];

test('all that a server says goes on as it is, but for what stands in the place of our own words', () => {
  const turn = fc.oneof(
    fc.constantFrom(...passing).map((text) => [text, text] as const),
    fc.constantFrom(...swapped),
  );
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 8 }), cuts, (turns, where) => {
      const bytes = Buffer.from(turns.map(([text]) => text).join(''), 'latin1');
      const taken = take(inPieces(bytes, where));
      assert.equal(taken.said, turns.map(([, text]) => text).join(''));
      assert.ok(!taken.isBroken);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('nothing stands behind the words that say what could not be read', () => {
  const { said } = take([Buffer.from(`:1\r\n${unknown('malformed.')}+OK\r\n:2\r\n`)]);
  assert.match(said, /^:1\r\n-ERR Protocol error: rule cache: [^\r]+\r\n$/);
});

test('the words of somebody else are not taken for ours', () => {
  const text = "-ERR unknown command 'upstreamproxy.cd.taken.', with args\r\n-ERR unknown command 'get'\r\n";
  assert.equal(take([Buffer.from(text)]).said, text);
});

test('what is no response of Redis is broken, and goes no further', () => {
  for (const bad of [
    'HTTP/1.1 400 Bad Request\r\n',
    '$5\nhello\r\n',
    '$05\r\nhello\r\n',
    '$?\r\n',
    ';4\r\n',
    '*1\rx',
    `$${'1'.repeat(40)}`,
    `*2147483647\r\n*2147483648\r\n`,
    '\0',
  ]) {
    const taken = take([Buffer.from(`:1\r\n${bad}:2\r\n`, 'latin1')]);
    assert.ok(taken.isBroken, bad);
    assert.ok(taken.said.startsWith(':1\r\n') && !taken.said.endsWith(':2\r\n'), bad);
  }
});

test('many values in values cost no more than one', () => {
  const { said } = take([
    ...Array.from({ length: 10_000 }, () => Buffer.from('*1\r\n')),
    Buffer.from(`:1\r\n${unknown('taken.')}`),
  ]);
  assert.ok(said.endsWith('*1\r\n:1\r\n+OK\r\n'));
});
