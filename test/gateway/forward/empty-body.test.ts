import assert from 'node:assert/strict';
import { Readable, PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { firstOctet, withoutEmptyBody } from '../../../src/gateway/forward/empty-body.ts';
import type { ForwardRequest } from '../../../src/gateway/forward/forwarder.ts';
import { forwardRequestTo } from '../support/forward-request.ts';

const limits = { idleTimeoutMs: 60_000 };
const { signal } = new AbortController();

function requestWith(method: string, body: Readable | undefined, bodyLength?: number): ForwardRequest {
  const plain = forwardRequestTo('origin.test', signal);
  return { ...plain, head: { ...plain.head, method }, body, bodyLength };
}

test('the first octet is waited for and stays in the body', async () => {
  const body = new PassThrough();
  const found = firstOctet(body, signal, limits);
  body.write('abc');
  assert.equal(await found, true);
  body.end('def');
  assert.equal(await text(body), 'abcdef');
});

test('a body that gives its octets at once is read from its beginning', async () => {
  const body = new Readable({
    read() {
      this.push('all');
      this.push(null);
    },
  });
  assert.equal(await firstOctet(body, signal, limits), true);
  assert.equal(await text(body), 'all');
});

test('a body that ends without octets has none, before it is asked for too', async () => {
  const body = new PassThrough();
  const found = firstOctet(body, signal, limits);
  body.end();
  assert.equal(await found, false);
  assert.equal(await firstOctet(body, signal, limits), false);
});

test('a body that breaks, a client that leaves and a body that never comes are told', async () => {
  const broken = new PassThrough();
  const breaking = firstOctet(broken, signal, limits);
  broken.destroy(new Error('reset'));
  await assert.rejects(breaking, { code: 'cancelled' });
  await assert.rejects(firstOctet(broken, signal, limits), { code: 'cancelled' });
  const leaving = new AbortController();
  const left = firstOctet(new PassThrough(), leaving.signal, limits);
  leaving.abort();
  await assert.rejects(left, { code: 'cancelled' });
  await assert.rejects(firstOctet(new PassThrough(), signal, { idleTimeoutMs: 1 }), {
    code: 'timeout',
    limit: 'idleTimeoutMs',
  });
});

test('what has no octets is sent as no body, with a length where one is expected', async () => {
  for (const [method, length, expected] of [
    ['POST', undefined, 0],
    ['PUT', undefined, 0],
    ['PATCH', undefined, 0],
    ['GET', undefined, undefined],
    ['DELETE', undefined, undefined],
    ['GET', 0, 0],
  ] as const) {
    const { body, bodyLength } = await withoutEmptyBody(
      requestWith(method, Readable.from([]), length),
      limits,
    );
    assert.deepEqual([body, bodyLength], [undefined, expected], method);
  }
  const given = requestWith('GET', Readable.from([]), 3);
  assert.equal(await withoutEmptyBody(given, limits), given);
});
