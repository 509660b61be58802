// Collectors that are not what they should be: whatever they do ends within a bound, and nothing of what was sent goes elsewhere.

import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { test } from 'node:test';

import type { Delivery } from '../../../src/gateway/telemetry/delivery-queue.ts';
import { otlpClient } from '../../../src/gateway/telemetry/otlp-client.ts';
import { traceRequest } from '../../../src/gateway/telemetry/otlp-messages.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { otlpReceiver, partialSuccess } from '../../support/otlp-receiver.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openTestServices } from '../support/service-fetch.ts';

const origin = { version: '1', resource: {} };
const authority = createTestAuthority();
const token = 'collector-token';

async function sendTo(
  respond: RequestListener | undefined,
  {
    timeoutMs = 5_000,
    ca = [authority.caPem],
  }: { readonly timeoutMs?: number; readonly ca?: readonly string[] } = {},
): Promise<Delivery & { readonly seen: readonly (string | undefined)[] }> {
  await using stack = new AsyncDisposableStack();
  const receiver = stack.use(
    await otlpReceiver({ authority, ...(respond === undefined ? {} : { respond }) }),
  );
  const services = stack.use(openTestServices([]));
  const send = otlpClient({
    endpoint: `https://127.0.0.1:${receiver.port}`,
    headers: () => Promise.resolve({ authorization: new Secret(`Bearer ${token}`) }),
    ca,
    fetch: services.fetch,
    timeoutMs,
  });
  const delivery = await send('traces', await traceRequest([], origin), new AbortController().signal);
  return { ...delivery, seen: receiver.received.map(({ headers }) => headers.authorization) };
}

const status =
  (code: number, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) => {
    response.writeHead(code, headers).end();
  };

test('a collector that takes a batch gets it once, with its header, over TLS of an authority that is named', async () => {
  assert.deepEqual(await sendTo(undefined), { outcome: 'taken', refused: 0, seen: [`Bearer ${token}`] });
  const untrusted = await sendTo(undefined, { ca: [] });
  assert.equal(untrusted.outcome, 'later');
  assert.deepEqual(untrusted.seen, [], 'nothing is sent to one that is not verified');
  assert.equal(JSON.stringify(untrusted).includes(token), false);
});

test('items that a collector refused are counted, and what it says of them is not believed beyond that', async () => {
  const partial = await sendTo((_request, response) => {
    response.writeHead(200).end(partialSuccess(3, 'x'.repeat(10_000)));
  });
  assert.deepEqual(partial, { outcome: 'taken', refused: 3, seen: [`Bearer ${token}`] });
});

test('statuses say whether a batch may come again, and when', async () => {
  assert.deepEqual(await sendTo(status(429, { 'retry-after': '7' })), {
    outcome: 'later',
    reason: 'the collector responds with status 429',
    afterMs: 7_000,
    seen: [`Bearer ${token}`],
  });
  for (const value of ['soon', '-1', '', 'Fri, 31 Dec 2030 23:59:59 GMT']) {
    const delivery = await sendTo(status(503, { 'retry-after': value }));
    assert.equal(delivery.outcome === 'later' && delivery.afterMs, undefined, value);
  }
  for (const code of [400, 401, 404, 413, 500]) assert.equal((await sendTo(status(code))).outcome, 'refused');
});

test('a redirect is not followed: batch and header stay here', async () => {
  await using elsewhere = await otlpReceiver();
  const location = `http://127.0.0.1:${elsewhere.port}/v1/traces`;
  for (const code of [301, 307, 308]) {
    const delivery = await sendTo(status(code, { location }));
    assert.notEqual(delivery.outcome, 'taken');
  }
  assert.equal(elsewhere.received.length, 0);
});

test('a response without end is cut off by its size, and one that does not come by time', async () => {
  let sent = 0;
  const endless = await sendTo((_request, response) => {
    response.writeHead(200);
    const chunk = Buffer.alloc(65_536);
    const more = (): void => {
      while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      sent += chunk.length;
    };
    response.on('drain', more);
    more();
  });
  assert.notEqual(endless.outcome, 'taken');
  assert.ok(sent < 64 * 1024 ** 2, `${sent} bytes went out`);
  const stuck = await sendTo((_request, response) => void response.writeHead(200).write('x'), {
    timeoutMs: 300,
  });
  assert.notEqual(stuck.outcome, 'taken');
  const silent = await sendTo(() => undefined, { timeoutMs: 300 });
  assert.notEqual(silent.outcome, 'taken');
});
