import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { connectThroughRelay } from '../../../src/agent/relay/connect-through-relay.ts';
import { patienceMs } from '../../support/patience.ts';

const refusal = (status: number, reason: string): string =>
  `HTTP/1.1 ${status} no\r\nX-Deny-Reason: ${reason}\r\n\r\n`;

/** A relay that gives one response and says what it was asked. */
async function relayThatSays(response: string | undefined) {
  const asked: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes) => {
      asked.push(bytes.toString('latin1'));
      if (response === undefined) socket.end();
      else socket.write(response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  const options = { relay: { host: '127.0.0.1', port }, authority: 'db.test:5432', timeoutMs: patienceMs };
  return { options, asked, [Symbol.asyncDispose]: async () => void server.close() };
}

test('bytes that come with the response are the first that are read', async () => {
  await using relay = await relayThatSays('HTTP/1.1 200 OK\r\n\r\nSSH-2.0-early\r\n');
  const socket = await connectThroughRelay(relay.options);
  // It arrives paused, so that nothing is lost before a reader is there.
  socket.resume();
  const [first] = (await once(socket, 'data')) as [Buffer];
  assert.equal(first.toString(), 'SSH-2.0-early\r\n');
  assert.deepEqual(relay.asked, ['CONNECT db.test:5432 HTTP/1.1\r\nHost: db.test:5432\r\n\r\n']);
  socket.destroy();
});

for (const [name, response, code, message] of [
  ['a refusal', refusal(403, 'policy_denied'), 'policy_denied', /403: policy_denied/],
  ['a late origin', refusal(504, 'timeout'), 'timeout', /504/],
  ['an origin that is away', refusal(502, 'origin_unreachable'), 'origin_unreachable', /502/],
  ['a reason of somebody else', refusal(403, 'toString'), 'gateway_protocol', /403: toString/],
  ['no reason', 'HTTP/1.1 502 no\r\n\r\n', 'gateway_protocol', /with 502$/],
  ['another protocol', 'SSH-2.0-x\r\n\r\n', 'gateway_unreachable', /something else/],
  ['a line that ends without CR', 'HTTP/1.1 200 OK\nX: y\r\n\r\n', 'gateway_unreachable', /without CR/],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', 'gateway_unreachable', /status line/],
  ['a field that is none', 'HTTP/1.1 200 OK\r\nX y\r\n\r\n', 'gateway_unreachable', /header field/],
  ['an interim response', 'HTTP/1.1 100 Continue\r\n\r\n', 'gateway_unreachable', /interim/],
  ['endless text', 'x'.repeat(20_000), 'gateway_unreachable', /something else/],
  ['an end', undefined, 'gateway_unreachable', /without a response/],
] as const) {
  test(`${name} instead of a tunnel is told as ${code}`, async () => {
    await using relay = await relayThatSays(response);
    await assert.rejects(connectThroughRelay(relay.options), { code, message });
  });
}

test('a relay that says nothing is given up after the deadline', async () => {
  await using relay = await relayThatSays('');
  const options = { ...relay.options, timeoutMs: 20 };
  await assert.rejects(connectThroughRelay(options), { code: 'timeout' });
});

test('where nobody listens it says so', async () => {
  const relay = await relayThatSays('');
  await relay[Symbol.asyncDispose]();
  await assert.rejects(connectThroughRelay(relay.options), {
    code: 'gateway_unreachable',
    message: /ECONNREFUSED/,
  });
});
