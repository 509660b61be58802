import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { readPush } from '../../../src/gateway/git/read-push.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import type { PushCommands } from '../../../src/policy/git-commands.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

const type = ['content-type', 'application/x-git-receive-pack-request'] as const;
const line = (ref: string): string =>
  `00${(ref.length + 86).toString(16)}${'1'.repeat(40)} ${'2'.repeat(40)} ${ref}`;
const commands = Buffer.from(`${line('refs/heads/a')}${line('refs/heads/b')}0000`);
const pack = Buffer.concat([Buffer.from('PACK'), Buffer.alloc(100_000, 7)]);

interface Sent {
  readonly fields?: readonly (readonly [string, string])[];
  readonly limits?: Partial<typeof defaultLimits>;
  /** Whether the body ends behind its pieces; it does by default. */
  readonly ends?: boolean;
}

/** Gives what was read, and everything that the body still holds. */
async function read(
  pieces: readonly Buffer[],
  { fields = [], limits = {}, ends = true }: Sent = {},
): Promise<{ push: PushCommands; rest: Buffer }> {
  const body = new PassThrough();
  const reading = readPush(body, new HeaderList([type, ...fields]), { ...defaultLimits, ...limits });
  // It may be refused while pieces are still sent.
  reading.catch(() => undefined);
  for (const piece of pieces) {
    body.write(piece);
    await new Promise(setImmediate);
  }
  if (ends) body.end();
  const push = await reading;
  return { push, rest: await buffer(body) };
}

function pieces(bytes: Buffer, size: number): readonly Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
  return parts;
}

const refs = ({ updates }: PushCommands): readonly string[] => updates.map(({ ref }) => ref);

describe('the body holds every byte again, however it came', () => {
  const whole = Buffer.concat([commands, pack]);
  for (const size of [1, 7, 50, commands.length, 200, 65_536]) {
    test(`in pieces of ${size} bytes`, async () => {
      const body = size < 50 ? whole.subarray(0, 300) : whole;
      const { push, rest } = await read(pieces(body, size));
      assert.deepEqual(refs(push), ['refs/heads/a', 'refs/heads/b']);
      assert.ok(rest.equals(body));
    });
  }
  test('with nothing behind the commands, and the end already there', async () => {
    const { push, rest } = await read([commands]);
    assert.equal(push.updates.length, 2);
    assert.ok(rest.equals(commands));
  });
  for (const coding of ['gzip', 'x-gzip']) {
    for (const size of [9, 100, 65_536]) {
      test(`compressed as ${coding}, in pieces of ${size} bytes`, async () => {
        const body = gzipSync(size < 50 ? commands : Buffer.concat([commands, pack]));
        const { push, rest } = await read(pieces(body, size), { fields: [['content-encoding', coding]] });
        assert.deepEqual(refs(push), ['refs/heads/a', 'refs/heads/b']);
        assert.ok(rest.equals(body));
      });
    }
  }
});

describe('a body that cannot be judged is refused, for a reason of its own', () => {
  const gzip = [['content-encoding', 'gzip']] as const;
  const long = Buffer.from(line('refs/heads/a').repeat(2000));
  const nothing = Buffer.concat(Array.from({ length: 8_000 }, () => gzipSync('')));
  const rows: readonly [string, readonly Buffer[], RegExp, Sent?][] = [
    ['no body', [], /^request_malformed .*ended inside/],
    ['an end inside of the commands', [commands.subarray(0, 90)], /^request_malformed .*ended inside/],
    ['commands without an end', pieces(long, 60_000), /^body_too_large /],
    [
      'a bomb',
      [gzipSync(Buffer.alloc(20_000_000, line('refs/heads/a')))],
      /^body_too_large /,
      { fields: gzip },
    ],
    ['nothing, compressed again and again', pieces(nothing, 60_000), /^body_too_large /, { fields: gzip }],
    [
      'compressed crumbs',
      pieces(gzipSync(commands, { level: 0 }), 2),
      /^request_malformed .*too many pieces/,
      { fields: gzip },
    ],
    [
      'another coding',
      [gzipSync(commands)],
      /^request_malformed .*is not gzip/,
      { fields: [['content-encoding', 'deflate']] },
    ],
    [
      'the coding in capital letters',
      [gzipSync(commands)],
      /^request_malformed .*is not gzip/,
      { fields: [['content-encoding', 'GZIP']] },
    ],
    ['two codings', [gzipSync(commands)], /^request_malformed .*is not gzip/, { fields: [...gzip, ...gzip] }],
    ['compressed without saying so', [gzipSync(commands)], /^request_malformed /],
    [
      'not compressed as it says',
      [commands],
      /^request_malformed .*not compressed as it says/,
      { fields: gzip },
    ],
    [
      'another type',
      [commands],
      /^request_malformed .*Content-Type/,
      { fields: [['content-type', 'application/json']] },
    ],
    [
      'commands that do not come',
      [commands.subarray(0, 90)],
      /^timeout /,
      { ends: false, limits: { pushCommandsTimeoutMs: 30 } },
    ],
  ];
  for (const [name, body, expected, sent] of rows) {
    test(name, async () => {
      await assert.rejects(read(body, sent), (error) => {
        assert.ok(error instanceof ProxyError);
        assert.match(`${error.code} ${error.message}`, expected);
        return true;
      });
    });
  }
});

test('a refused body still holds its bytes, so that they can be dropped', async () => {
  const body = new PassThrough();
  body.end('00zz and more');
  await assert.rejects(readPush(body, new HeaderList([type]), defaultLimits));
  assert.equal((await buffer(body)).toString(), '00zz and more');
});

test('a client that goes away ends the wait', async () => {
  const body = new PassThrough();
  const reading = readPush(body, new HeaderList([type]), defaultLimits);
  body.write(commands.subarray(0, 10));
  setImmediate(() => body.destroy());
  await assert.rejects(reading, (error) => error instanceof ProxyError && error.code === 'cancelled');
});
