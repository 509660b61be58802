// What a session is counted for goes back, however its exchanges end: else one that lives long would be refused at last (limit_exceeded).

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createTestAuthority } from '../../support/test-authority.ts';
import { waitUntil } from '../../support/program.ts';
import { openRequestPath } from '../support/request-path.ts';
import type { RecordingSink } from '../support/recording-sink.ts';
import { seededBelow } from '../../support/seeded.ts';

const connections = 12;
const requestsEach = 25;
const large = Buffer.alloc(300_000, 'a');

/** What an origin does with a request, by its path. */
const origins: Readonly<Record<string, RequestListener>> = {
  '/whole': (request, response) => void request.resume().once('end', () => response.end('whole')),
  '/large': (request, response) => void request.resume().once('end', () => response.end(large)),
  '/early': (_request, response) => void response.end('early'),
  '/breaks': (request) => void request.socket.destroy(),
  '/half': (request, response) => {
    response.writeHead(200, { 'content-length': large.length });
    response.write(large.subarray(0, 50_000), () => request.socket.destroy());
  },
  '/silent': (request) => void request.resume(),
  '/refused': (_request, response) => void response.writeHead(503).end(),
};
const paths = [...Object.keys(origins), '/denied'];
/** What the client does with it. */
const ways = ['asks', 'sends', 'leaves the head', 'leaves the body', 'leaves the response'] as const;

test('nothing of a session stays counted, whatever ends its exchanges', async () => {
  const authority = createTestAuthority();
  const server = createServer(authority.issue('api.test'), (request, response) => {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    (origins[request.url ?? ''] ?? assert.fail())(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await using stack = new AsyncDisposableStack();
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  // A server that listens on a port has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  const path = stack.use(
    openRequestPath({
      policy: `rules: [{ name: api, hosts: api.test, ports: ${port}, paths: [${Object.keys(origins).join(', ')}], addresses: 127.0.0.0/8, limits: { requestsPerSession: 1000000, bytesPerSession: 1000000000 } }]`,
      hosts: ['api.test'],
      trust: [authority.caPem],
    }),
  );
  const draw = seededBelow(15);
  let asked = 0;
  const converse = async (): Promise<void> => {
    for (let n = 0; n < requestsEach; n += 1) {
      const way = ways[draw(ways.length)];
      const target = paths[draw(paths.length)] ?? '';
      const socket = await path.tls(`api.test:${port}`);
      const body = way === 'sends' || way === 'leaves the body' ? 50_000 : 0;
      const head = `POST ${target} HTTP/1.1\r\nHost: api.test:${port}\r\nContent-Length: ${body}\r\n\r\n`;
      asked += 1;
      if (way === 'leaves the head') socket.write(head.slice(0, draw(head.length)));
      else socket.write(head + 'b'.repeat(way === 'leaves the body' ? body / 2 : body));
      // Nothing comes of one that is silent, or was not asked.
      const isWhole = way === 'asks' || way === 'sends' || way === 'leaves the response';
      if (isWhole && target !== '/silent') {
        const { promise, resolve } = Promise.withResolvers<void>();
        for (const event of ['data', 'close', 'end']) socket.once(event, () => resolve());
        await promise;
      }
      if (way === 'leaves the response') socket.destroy();
      else socket.end(() => socket.destroy());
    }
  };
  await Promise.all(Array.from({ length: connections }, converse));
  assert.equal(asked, connections * requestsEach);
  const { held, unread } = path.parts;
  // That of the request path.
  const audit = path.parts.audit as RecordingSink;
  const left = (): readonly number[] => [held.all, unread.all, audit.openTotal];
  assert.ok(audit.kept.size > asked / 2, `${audit.kept.size} of ${asked} began`);
  await waitUntil('nothing is counted any more', () => left().every((count) => count === 0)).catch(
    (error: unknown) => {
      const [octets, waiting, open] = left();
      throw new Error(`${octets} octets held, ${waiting} unread, ${open} open`, { cause: error });
    },
  );
});
