import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  connect,
  createSecureServer as createHttp2Server,
  type ClientHttp2Session,
  type ClientHttp2Stream,
} from 'node:http2';
import { createServer as createHttp1Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { defaultLimits } from '../../../src/protocol/limits.ts';
import { waitUntil } from '../../support/program.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openRequestPath } from '../support/request-path.ts';

const polls = 200;
const { http1ConnectionsPerOriginMax } = defaultLimits;

for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const)
  test(`${polls} long polls of one session over ${protocol} keep no other session of its principal waiting for the same origin`, async () => {
    const authority = createTestAuthority();
    const waiting: { end(text: string): unknown }[] = [];
    const respond = (path: string | undefined, response: { end(text: string): unknown }): void => {
      if (path === '/poll') waiting.push(response);
      else response.end('hello');
    };
    await using ends = new AsyncDisposableStack();
    const leaf = authority.issue('allowed.test');
    const server =
      protocol === 'HTTP/1.1'
        ? createHttp1Server(leaf, (request, response) => respond(request.url, response))
        : createHttp2Server(leaf, (request, response) => respond(request.url, response));
    server.listen(0, '127.0.0.1');
    ends.defer(() => void server.close());
    await once(server, 'listening');
    // A TCP server's address is an object.
    const { port } = server.address() as AddressInfo;
    const path = openRequestPath({
      policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }\n`,
      hosts: ['allowed.test'],
      trust: [authority.caPem],
    });
    ends.use(path);
    const at = `allowed.test:${port}`;
    const client = async (principal: string): Promise<ClientHttp2Session> => {
      const socket = await path.tls(at, { alpn: ['h2'], principal });
      return ends.adopt(connect(`https://${at}`, { createConnection: () => socket }), (one) => one.destroy());
    };
    const streams: ClientHttp2Stream[] = [];
    for (let i = 0; i < 2; i += 1) {
      const polling = await client('alice/polling');
      for (let n = 0; n < polls / 2; n += 1) streams.push(polling.request({ ':path': '/poll' }));
    }
    for (const stream of streams) stream.on('error', () => undefined);
    // The others wait for a connection of their own session.
    const served = protocol === 'HTTP/1.1' ? http1ConnectionsPerOriginMax : polls;
    await waitUntil('the origin has all that it gets', () => waiting.length === served);
    for (const principal of ['alice/working', 'bob']) {
      const working = await client(principal);
      for (let i = 0; i < 3; i += 1)
        assert.equal(await text(working.request({ ':path': '/hello' })), 'hello', principal);
    }
    // Nor does it cost the polls anything: each gets its own response.
    const responded = Promise.all(streams.map((stream) => once(stream.resume(), 'end')));
    await waitUntil('all polls were responded to', () => {
      for (const response of waiting.splice(0)) response.end('news');
      return streams.every(({ readableEnded }) => readableEnded);
    });
    await responded;
  });
