import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough, Transform } from 'node:stream';
import type { Readable } from 'node:stream';
import { test } from 'node:test';

import { chainRewrites, throughTransform } from '../../../../src/gateway/credentials/request/body-rewrite.ts';
import type { BodyRewrite } from '../../../../src/gateway/credentials/request/body-rewrite.ts';
import { ProxyError } from '../../../../src/protocol/error.ts';

/** `events.once` would reject for the fault that the tests look at. */
function closed(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', resolve);
  });
}

function appending(text: string, length: number): BodyRewrite {
  return {
    length,
    rewrite: (body) =>
      throughTransform(
        body,
        new Transform({
          transform: (chunk, _encoding, callback) => {
            callback(null, chunk);
          },
          flush: (callback) => {
            callback(null, text);
          },
        }),
      ),
  };
}

test('rewrites run in order, and the last one says the length', async () => {
  const body = new PassThrough();
  const chained = chainRewrites(chainRewrites(undefined, appending('-one', 5)), appending('-two', 9));
  assert.equal(chained.length, 9);
  const rewritten = chained.rewrite(body);
  body.end('x');
  assert.equal(Buffer.concat(await rewritten.toArray()).toString(), 'x-one-two');
});

test('the end of the last rewrite is the end of those before it, and the body is left to others', async () => {
  const body = new PassThrough();
  const first = new PassThrough();
  const holding: BodyRewrite = { length: 1, rewrite: (given) => throughTransform(given, first) };
  const rewritten = chainRewrites(holding, appending('-two', 5)).rewrite(body);
  rewritten.destroy();
  await closed(first);
  assert.equal(body.destroyed, false);
});

test('a transform that breaks says why to who reads it later, and leaves the body to be read by others', async () => {
  const body = new PassThrough();
  const fault = new ProxyError('request_malformed', 'broken');
  const broken = throughTransform(
    body,
    new Transform({
      transform: (_chunk, _encoding, callback) => {
        callback(fault);
      },
    }),
  );
  body.write('first');
  await closed(broken);
  assert.equal(broken.errored, fault);
  assert.equal(body.destroyed, false);
  body.resume();
  body.end('second');
  await once(body, 'end');
});

test('a body that breaks off breaks what is made of it', async () => {
  const body = new PassThrough();
  const rewritten = appending('-end', 4).rewrite(body);
  body.destroy(new Error('gone'));
  await closed(rewritten);
  assert.equal(rewritten.errored?.message, 'gone');
});
