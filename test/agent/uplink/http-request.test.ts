import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { openGateway } from '../../../src/agent/uplink/gateway-connection.ts';
import { sendRequest } from '../../../src/agent/uplink/http-request.ts';
import { resourceBaseline, resourcesSettled } from '../../support/resources.ts';
import { quickLimits } from '../support/enrolled.ts';

/** Responds to the first bytes of each connection and keeps what it got. */
async function plainGateway(
  response: string,
): Promise<AsyncDisposable & { readonly url: string; received: string }> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      result.received += chunk.toString('latin1');
      socket.write(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const result = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: '',
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
  return result;
}

const options = { ca: '', dangerouslyAllowPlainGateway: true };

test('a request is one HTTP/1.1 message below the prefix of the gateway', async () => {
  await using gateway = await plainGateway('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const target = openGateway(`${gateway.url}/team/a/`, options);
  const response = await sendRequest(
    target,
    {
      method: 'POST',
      path: '/session',
      fields: [['DPoP', 'proof']],
      authorization: { scheme: 'Bearer', credential: Buffer.from('token') },
      body: { name: 'é' },
      bodyBytesMax: 10,
    },
    quickLimits,
  );
  assert.equal(response.body.toString(), 'ok');
  const [head = '', body] = gateway.received.split('\r\n\r\n');
  const lines = head.split('\r\n');
  assert.equal(lines[0], 'POST /team/a/session HTTP/1.1');
  assert.ok(lines.includes(`Host: ${new URL(gateway.url).host}`));
  assert.ok(lines.includes('Authorization: Bearer token'));
  assert.ok(lines.includes('DPoP: proof'));
  assert.ok(lines.includes('Content-Length: 13'));
  assert.equal(Buffer.from(body ?? '', 'latin1').toString('utf8'), '{"name":"é"}');
});

test('a GET carries no length and a POST without body a length of zero', async () => {
  await using gateway = await plainGateway('HTTP/1.1 204 No Content\r\n\r\n');
  const target = openGateway(gateway.url, options);
  await sendRequest(target, { method: 'GET', path: '/a', bodyBytesMax: 10 }, quickLimits);
  assert.doesNotMatch(gateway.received, /Content-Length/);
  await sendRequest(target, { method: 'POST', path: '/b', bodyBytesMax: 10 }, quickLimits);
  assert.match(gateway.received, /POST \/b [\s\S]*Content-Length: 0\r\n/);
});

test('a response that ends too early, never comes or is cancelled is told, and nothing stays open', async () => {
  const baseline = resourceBaseline();
  {
    await using gateway = await plainGateway('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe');
    const request = { method: 'GET', path: '/', bodyBytesMax: 10 } as const;
    const target = openGateway(gateway.url, options);
    const limits = { ...quickLimits, enrolTimeoutMs: 40 };
    await assert.rejects(sendRequest(target, request, limits), { code: 'timeout' });
    const controller = new AbortController();
    const sent = sendRequest(target, request, quickLimits, controller.signal);
    setImmediate(() => controller.abort());
    await assert.rejects(sent, { code: 'cancelled' });
  }
  await resourcesSettled(baseline);
});
