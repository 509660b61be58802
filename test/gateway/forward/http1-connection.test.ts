import assert from 'node:assert/strict';
import { duplexPair, PassThrough } from 'node:stream';
import { test } from 'node:test';

import { Http1Connection } from '../../../src/gateway/forward/http1-connection.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { anyReceiver, forwardRequestTo } from '../support/forward-request.ts';

const timeout = 10_000;

/** A connection that a test holds the other end of. */
function openConnection() {
  const [socket, origin] = duplexPair();
  // Of a socket it needs what a Duplex has.
  const connection = new Http1Connection(
    { socket: socket as never, address: '192.0.2.1', aliases: () => ['www.provider.test'] },
    defaultLimits,
    () => undefined,
  );
  connection.start();
  return { connection, origin };
}

/** A moment that lies behind everything so far. */
function later(): number {
  const fromMs = performance.now();
  while (performance.now() === fromMs);
  return performance.now();
}

test(
  'an origin has its whole time from the end of the body, however late that comes',
  { timeout },
  async () => {
    const { connection, origin } = openConnection();
    const body = new PassThrough();
    const request = { ...forwardRequestTo('origin.test', new AbortController().signal), body };
    const responded = connection.run(request, anyReceiver);
    body.write('a');
    let received = '';
    const { promise: isSent, resolve } = Promise.withResolvers<undefined>();
    origin.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (received.endsWith('1\r\na\r\n')) body.end();
      if (received.endsWith('0\r\n\r\n')) resolve(undefined);
    });
    const endsAfterMs = later();
    await isSent;
    // As long after what came before the end.
    connection.checkDeadline(endsAfterMs + defaultLimits.responseHeadTimeoutMs);
    origin.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    assert.equal(await responded, undefined);
  },
);

test('a request is told of its connection before it goes out', { timeout }, async () => {
  const { connection, origin } = openConnection();
  const told: unknown[] = [];
  const responded = connection.run(
    {
      ...forwardRequestTo('origin.test', new AbortController().signal),
      onConnection: ({ address, aliases }) => told.push(address, aliases?.(), origin.readableLength),
    },
    anyReceiver,
  );
  origin.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  await responded;
  assert.deepEqual(told, ['192.0.2.1', ['www.provider.test'], 0]);
});
