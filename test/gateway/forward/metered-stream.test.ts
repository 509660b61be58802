import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';

import { meteredStream } from '../../../src/gateway/forward/metered-stream.ts';
import { pipeBoth } from '../../../src/gateway/forward/pipe-both.ts';
import { ProxyError } from '../../../src/protocol/error.ts';

test('nothing passes before it is paid for, and all of it in order', async () => {
  const questions: (() => void)[] = [];
  const stream = meteredStream((bytes) => {
    if (bytes === 1) return undefined;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    questions.push(() => resolve(undefined));
    return promise;
  });
  stream.write('aa');
  stream.write('b');
  stream.end('cc');
  await new Promise(setImmediate);
  assert.equal(stream.read(), null);
  assert.equal(questions.length, 1);
  const all = buffer(stream);
  questions[0]?.();
  while (questions.length < 2) await new Promise(setImmediate);
  questions[1]?.();
  assert.equal((await all).toString(), 'aabcc');
});

test('what cannot be paid for does not come out, and both sides of a pipe end with the reason', async () => {
  const refusal = new ProxyError('limit_exceeded', 'spent');
  const written: string[] = [];
  const side = (): Duplex =>
    new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        written.push(chunk.toString());
        done();
      },
    }).on('error', () => undefined);
  const [first, second] = [side(), side()];
  let left = 3;
  const piped = pipeBoth(first, second, {
    spendBytes: async (bytes) => {
      left -= bytes;
      if (left < 0) throw refusal;
      return undefined;
    },
  });
  first.push('aa');
  while (written.length === 0) await new Promise(setImmediate);
  second.push('bb');
  assert.equal((await piped).fault, refusal);
  assert.deepEqual(written, ['aa']);
  assert.ok(first.destroyed && second.destroyed);
});
