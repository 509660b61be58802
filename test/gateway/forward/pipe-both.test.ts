import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex, duplexPair, Transform } from 'node:stream';
import { test } from 'node:test';

import { pipeBoth, type PipeOptions } from '../../../src/gateway/forward/pipe-both.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import type { ErrorCode } from '../../../src/protocol/error-table.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { patienceMs } from '../../support/patience.ts';

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

/** A first side that has ended and then closed, and a second one that goes on. */
async function goneBehindItsEnd(options: PipeOptions, error?: Error) {
  const first = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const second = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  for (const side of [first, second]) side.on('error', () => undefined);
  const piped = pipeBoth(first, second, options);
  first.push(null);
  await once(second, 'finish');
  const closed = new Promise((resolve) => first.once('close', resolve));
  first.destroy(error);
  await closed;
  return { second, piped };
}

test(
  'what is read on for nobody is paid for, and ends where it cannot be',
  { timeout: patienceMs },
  async () => {
    const refusal = new ProxyError('limit_exceeded', 'spent');
    const paid: number[] = [];
    const { second, piped } = await goneBehindItsEnd({
      spendBytes: async (bytes) => {
        if (paid.length === 1) throw refusal;
        paid.push(bytes);
        return undefined;
      },
    });
    second.push('12345678');
    while (paid.length === 0) await new Promise(setImmediate);
    second.push('9ab');
    assert.equal((await piped).fault, refusal);
    assert.deepEqual(paid, [8]);
    assert.equal(second.destroyed, true);
  },
);

test('what is read on for nobody does not keep the connection', { timeout: patienceMs }, async () => {
  const limits = { ...defaultLimits, blindIdleTimeoutMs: 300 };
  const { second, piped } = await goneBehindItsEnd({ idle: { limits, name: 'blindIdleTimeoutMs' } });
  const talk = (): void => {
    if (second.destroyed) return;
    second.push('and on');
    setImmediate(talk);
  };
  talk();
  assert.equal((await piped).fault?.code, 'timeout');
  assert.equal(second.destroyed, true);
});

test('an end that the gateway makes ends both sides, also behind the end of one', async () => {
  for (const [code, ends] of [
    ['session_revoked', true],
    ['limit_exceeded', true],
    ['shutting_down', true],
    ['stream_reset', false],
    ['cancelled', false],
    ['tunnel_lost', false],
  ] as const satisfies readonly (readonly [ErrorCode, boolean])[]) {
    const { second, piped } = await goneBehindItsEnd({}, new ProxyError(code, 'over'));
    assert.equal(second.destroyed, ends, code);
    second.destroy();
    await piped;
  }
});

test('what goes beside the stream is counted and paid for, and ends both where it is not', async () => {
  const [first, firstFar] = duplexPair();
  const [second, secondFar] = duplexPair();
  const failed = new Promise<Error>((resolve) => void second.once('error', resolve));
  let pass: ((octets: number) => Promise<undefined> | undefined) | undefined;
  const spent: number[] = [];
  const spendBytes = (octets: number): Promise<undefined> | undefined => {
    spent.push(octets);
    return octets > 5 ? Promise.reject(new ProxyError('limit_exceeded', 'spent')) : undefined;
  };
  const piped = pipeBoth(first, second, {
    spendBytes,
    beside: (given) => {
      pass = given;
    },
  });
  firstFar.resume();
  secondFar.resume();
  assert.equal(pass?.(5), undefined);
  await assert.rejects(async () => await pass?.(6), { code: 'limit_exceeded' });
  assert.match((await failed).message, /spent/);
  const { fromSecond, fault } = await piped;
  assert.deepEqual([spent, fromSecond, fault?.code], [[5, 6], 11, 'limit_exceeded']);
});

test('a fault of what bytes pass through ends both sides, and not the process', async () => {
  for (const way of ['throughFirst', 'throughSecond'] as const) {
    const [first, client] = duplexPair();
    const [second, origin] = duplexPair();
    for (const side of [first, client, second, origin]) side.on('error', () => undefined);
    const step = new Transform({
      transform(_chunk, _encoding, done) {
        this.push(null);
        this.push('behind the end');
        done();
      },
    });
    const piped = pipeBoth(first, second, { [way]: [step] });
    (way === 'throughFirst' ? client : origin).write('one');
    assert.equal((await piped).fault?.code, 'internal');
    assert.deepEqual([first.destroyed, second.destroyed], [true, true]);
  }
});
