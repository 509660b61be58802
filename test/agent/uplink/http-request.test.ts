import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, test } from 'node:test';
import { dialGateway, openGateway } from '../../../src/agent/uplink/gateway-connection.ts';
import { sendRequest } from '../../../src/agent/uplink/http-request.ts';
import { resourceBaseline, resourcesSettled } from '../../support/resources.ts';
import { quickLimits } from '../support/enrolled.ts';

interface PlainGateway extends AsyncDisposable {
  readonly url: string;
  received: string;
  connections: number;
  /** Done with a connection behind the response. */
  after(socket: Socket): void;
}

/** Responds to the first bytes of each connection and keeps what it got. */
async function plainGateway(response: string): Promise<PlainGateway> {
  const server = createServer((socket) => {
    result.connections += 1;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      result.received += chunk.toString('latin1');
      socket.write(response, () => result.after(socket));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const result: PlainGateway = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: '',
    connections: 0,
    after: (): void => undefined,
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

test('a response that ends too early, is never whole or is cancelled is told, and nothing stays open', async () => {
  const baseline = resourceBaseline();
  {
    await using gateway = await plainGateway('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe');
    const request = { method: 'GET', path: '/', bodyBytesMax: 10 } as const;
    const target = openGateway(gateway.url, options);
    const limits = { ...quickLimits, enrolTimeoutMs: 40 };
    await assert.rejects(sendRequest(target, request, limits), { code: 'timeout' });
    for (const end of [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]) {
      gateway.after = end;
      await assert.rejects(sendRequest(target, request, quickLimits), {
        code: 'gateway_unreachable',
        message: /closed the connection before its response/,
      });
    }
    gateway.after = () => undefined;
    const controller = new AbortController();
    const sent = sendRequest(target, request, quickLimits, controller.signal);
    setImmediate(() => controller.abort());
    await assert.rejects(sent, { code: 'cancelled' });
  }
  await resourcesSettled(baseline);
});

describe('a request that is cancelled before it is sent', () => {
  const request = { method: 'GET', path: '/', bodyBytesMax: 10 } as const;

  test('is not sent, and a connection that waits for a request is left for the next', async () => {
    await using gateway = await plainGateway('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    const target = openGateway(gateway.url, options);
    using _ = target.kept;
    const kept = await dialGateway(target, quickLimits);
    target.kept.keep(kept);
    await assert.rejects(sendRequest(target, request, quickLimits, AbortSignal.abort()), {
      code: 'cancelled',
    });
    assert.equal((await sendRequest(target, request, quickLimits)).body.toString(), 'ok');
    assert.deepEqual([gateway.connections, gateway.received.match(/GET/g)?.length], [1, 1]);
  });

  test('is not sent where that happens between the connection and the request', async () => {
    await using gateway = await plainGateway('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    const target = openGateway(gateway.url, options);
    using _ = target.kept;
    const controller = new AbortController();
    const warm = Promise.withResolvers<Socket>();
    target.kept.warm(() => warm.promise);
    const sent = sendRequest(target, request, quickLimits, controller.signal);
    warm.resolve(await dialGateway(target, quickLimits));
    // Behind the reaction of the one who waits for it, before what that one goes on with.
    void warm.promise.then(() => controller.abort());
    await assert.rejects(sent, { code: 'cancelled' });
    assert.equal((await sendRequest(target, request, quickLimits)).body.toString(), 'ok');
    assert.equal(gateway.received.match(/GET/g)?.length, 1);
  });

  test('does not wait for a connection that is dialled already, which the next request gets', async () => {
    await using gateway = await plainGateway('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    const target = openGateway(gateway.url, options);
    using _ = target.kept;
    const warm = Promise.withResolvers<Socket>();
    target.kept.warm(() => warm.promise);
    const controller = new AbortController();
    const sent = sendRequest(target, request, quickLimits, controller.signal);
    controller.abort();
    await assert.rejects(sent, { code: 'cancelled' });
    warm.resolve(await dialGateway(target, quickLimits));
    await warm.promise;
    assert.equal((await sendRequest(target, request, quickLimits)).body.toString(), 'ok');
    assert.deepEqual([gateway.connections, gateway.received.match(/GET/g)?.length], [1, 1]);
  });
});
