import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { noBorders } from '../../../src/gateway/scrub/borders.ts';
import { lineBorders } from '../../../src/gateway/scrub/line-borders.ts';
import type { ClientExchange } from '../../../src/gateway/exchange/client-exchange.ts';
import { SearchedBody } from '../../../src/gateway/exchange/searched-body.ts';
import { searchedFor } from '../support/searched.ts';

const secret = 'token-0123456789-of-it';

/** A client of which only what a body needs is there. */
function openClient(): { readonly client: ClientExchange; readonly writes: Buffer[] } {
  const writes: Buffer[] = [];
  const client = {
    signal: new AbortController().signal,
    sendData: (chunk: Uint8Array) => {
      writes.push(Buffer.from(chunk));
      return true;
    },
    onDrain: () => undefined,
  };
  return { client: client as unknown as ClientExchange, writes };
}

test('what is decoded leaves in pieces of one size, however the decoder gave it', async () => {
  const text = `${'a line that is compressed well. '.repeat(3_000)}${secret}${'z'.repeat(5_000)}`;
  const packed = gzipSync(text);
  const seen: string[] = [];
  for (const size of [1_000_000, 7, 100]) {
    const { client, writes } = openClient();
    using body = new SearchedBody({
      client,
      searched: searchedFor(secret),
      borders: noBorders,
      coding: 'gzip',
      host: 'origin.test',
      quietMs: undefined,
    });
    for (let at = 0; at < packed.length; at += size)
      body.push(packed.subarray(at, at + size), () => undefined);
    await body.decoded();
    body.end();
    assert.equal(Buffer.concat(writes).toString(), text.replace(secret, '*'.repeat(secret.length)));
    seen.push(writes.map(({ length }) => length).join());
  }
  assert.equal(new Set(seen).size, 1, seen.join('; '));
  assert.match(seen[0] ?? '', /^(16384,)+\d+$/);
});

test('a decoded text leaves at its line ends, too', async () => {
  const { client, writes } = openClient();
  using body = new SearchedBody({
    client,
    searched: searchedFor(secret),
    borders: lineBorders,
    coding: 'gzip',
    host: 'origin.test',
    quietMs: undefined,
  });
  body.push(gzipSync(`one\ntwo ${secret}\nthree`), () => undefined);
  await body.decoded();
  body.end();
  assert.deepEqual(writes.map(String), [`one\ntwo ${'*'.repeat(secret.length)}\n`, 'three']);
});

test('what is held of a body that is dropped goes nowhere', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const { client, writes } = openClient();
  const options = { client, searched: searchedFor(secret), borders: noBorders, coding: undefined, host: 'h' };
  const dropped = new SearchedBody({ ...options, quietMs: 50 });
  dropped.push(Buffer.from('held'), () => undefined);
  dropped[Symbol.dispose]();
  context.mock.timers.tick(1_000);
  assert.deepEqual(writes, []);
  const quiet = new SearchedBody({ ...options, quietMs: 50 });
  quiet.push(Buffer.from('held'), () => undefined);
  context.mock.timers.tick(49);
  assert.deepEqual(writes, []);
  context.mock.timers.tick(1);
  assert.deepEqual(writes.map(String), ['held']);
  quiet[Symbol.dispose]();
});
