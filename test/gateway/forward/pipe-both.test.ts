import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';

import { pipeBoth } from '../../../src/gateway/forward/pipe-both.ts';

/** A stream that takes what is written only when it is released. */
function slowStream(): { readonly stream: Duplex; readonly written: string[]; readonly release: () => void } {
  const written: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      void promise.then(() => {
        written.push(String(chunk));
        done();
      });
    },
  });
  return { stream, written, release: () => resolve() };
}

test('a side that breaks behind its end loses nothing of what it sent before', async () => {
  const { stream: first, written, release } = slowStream();
  const second = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const piped = pipeBoth(first, second);
  second.push('last words');
  second.push(null);
  await once(second, 'end');
  const closed = new Promise((resolve) => second.once('close', resolve));
  second.destroy(new Error('reset'));
  await closed;
  const finished = once(first, 'finish');
  release();
  await finished;
  assert.deepEqual(written, ['last words']);
  first.push(null);
  assert.deepEqual(await piped, { fromFirst: 0, fromSecond: 10 });
});

test('a side that breaks before its end breaks the other', async () => {
  const { stream: first } = slowStream();
  const second = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const failed = new Promise((resolve) => first.once('error', resolve));
  const piped = pipeBoth(first, second);
  second.push('part');
  second.destroy(new Error('reset'));
  assert.match(String(await failed), /reset/);
  await piped;
});

test('a side that closed before breaks the other at once', async () => {
  for (const goneIsFirst of [true, false]) {
    const { stream: gone } = slowStream();
    const { stream: other } = slowStream();
    const closed = once(gone, 'close');
    gone.destroy();
    await closed;
    const piped = goneIsFirst ? pipeBoth(gone, other) : pipeBoth(other, gone);
    assert.deepEqual(await piped, { fromFirst: 0, fromSecond: 0 });
    assert.equal(other.destroyed, true);
  }
});

test('what ends after the other side has closed is seen to end', async () => {
  const [first, client] = duplexPair();
  const [second, origin] = duplexPair();
  const piped = pipeBoth(first, second);
  client.end('bye');
  origin.resume();
  await once(origin, 'end');
  // A stream of HTTP/2 is destroyed as soon as its client has gone, whatever the other side still has to say.
  first.destroy();
  await once(first, 'close');
  origin.end('goodbye');
  assert.deepEqual(await piped, { fromFirst: 3, fromSecond: 7 });
});
