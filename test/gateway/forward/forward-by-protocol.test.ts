import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request as httpsRequest } from 'node:https';
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { connect } from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http2';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';

import type { Limits } from '../../../src/protocol/limits.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { anyReceiver, forwardRequestTo } from '../support/forward-request.ts';
import { http2Origin } from '../support/http2-origin.ts';
import { openRequestPath } from '../support/request-path.ts';
import type { RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();

function pathTo(port: number, limits: Partial<Limits> = {}): RequestPath {
  return openRequestPath({
    policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }\n`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
    limits,
  });
}

/** Every byte of it tells its place. */
function countedBytes(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 0xff));
}

async function post(path: RequestPath, port: number, fields: OutgoingHttpHeaders): Promise<ClientRequest> {
  const socket = await path.tls(`allowed.test:${port}`);
  // Its connection ends with the response.
  const agent = new Agent();
  agent.createConnection = () => socket;
  return httpsRequest({
    agent,
    host: 'allowed.test',
    port,
    method: 'POST',
    path: '/echo',
    headers: fields,
  });
}

const bodies: readonly (readonly [string, number])[] = [
  ['a body that comes with the head', 100],
  ['a body that fills every buffer on the way', 3 * 1024 * 1024],
];

for (const [name, length] of bodies) {
  test(
    `${name} arrives whole at an origin that turns out to speak HTTP/2 only`,
    {
      timeout: 20_000,
    },
    async () => {
      const body = countedBytes(length);
      for (const fields of [{ 'content-length': String(length) }, { 'transfer-encoding': 'chunked' }]) {
        // A new path each time: it learns from the first refusal.
        await using origin = await http2Origin(authority, true);
        await using path = pathTo(origin.port);
        const outgoing = await post(path, origin.port, fields);
        const responded = once(outgoing, 'response');
        outgoing.end(body);
        const [response] = (await responded) as [IncomingMessage];
        // With the response there it does not matter how the connection ends.
        outgoing.on('error', () => undefined);
        assert.equal(response.statusCode, 200);
        assert.deepEqual(await buffer(response), body);
        const [event] = await path.events(1);
        assert.deepEqual(
          [event?.upstreamProtocol, event?.requestBytes, event?.verdict],
          ['h2', length, 'allow'],
        );
      }
    },
  );
}

test(
  'requests beyond what all connections to an origin of HTTP/2 carry are refused, with the limit in the audit',
  {
    timeout: 20_000,
  },
  async () => {
    await using origin = await http2Origin(authority, true, { maxConcurrentStreams: 1 });
    await using path = pathTo(origin.port, { http2ConnectionsPerOriginMax: 2 });
    const at = `allowed.test:${origin.port}`;
    const socket = await path.tls(at, { alpn: ['h2'] });
    const session = connect(`https://${at}`, { createConnection: () => socket });
    session.on('error', () => undefined);
    for (let open = 0; open < 2; open += 1) {
      const stream = session.request({ ':path': '/events', ':method': 'POST' });
      stream.on('error', () => undefined);
      await once(stream, 'data');
    }
    const refused = session.request({ ':path': '/third' }, { endStream: true });
    const [headers] = (await once(refused, 'response')) as [IncomingHttpHeaders & { ':status'?: number }];
    refused.on('error', () => undefined).resume();
    assert.equal(headers[':status'], 429);
    const [event] = await path.events(1);
    assert.deepEqual([event?.errorCode, event?.limit], ['limit_exceeded', 'http2ConnectionsPerOriginMax']);
    session.destroy();
  },
);

test('a client that left while its connection was made is no fault of the gateway', async () => {
  for (const alpn of ['http/1.1', 'h2']) {
    await using origin = await http2Origin(authority, alpn === 'h2');
    await using path = pathTo(origin.port);
    const left = forwardRequestTo('allowed.test', AbortSignal.abort());
    const destination = { scheme: 'https', host: 'allowed.test', port: origin.port } as const;
    const head = { ...left.head, destination };
    for (const body of [undefined, Readable.from(['x'])]) {
      const request = { ...left, head, addresses: ['127.0.0.0/8'], body };
      await assert.rejects(path.parts.forwarder.forward(request, anyReceiver), { code: 'cancelled' });
      const overHttp2 = { ...request, head: { ...head, httpVersion: '2' } as const };
      await assert.rejects(path.parts.forwarder.forward(overHttp2, anyReceiver), { code: 'cancelled' });
    }
  }
});
