import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request as httpsRequest } from 'node:https';
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';

import { createTestAuthority } from '../support/test-authority.ts';
import { http2Origin } from './support/http2-origin.ts';
import { openRequestPath } from './support/request-path.ts';
import type { RequestPath } from './support/request-path.ts';

const authority = createTestAuthority();

function pathTo(port: number): RequestPath {
  return openRequestPath({
    policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }\n`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
}

/** Every byte of it tells its place. */
function countedBytes(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 0xff));
}

async function post(path: RequestPath, port: number, fields: OutgoingHttpHeaders): Promise<ClientRequest> {
  const socket = await path.tls(`allowed.test:${port}`);
  // Its connection ends with the answer.
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
        const answered = once(outgoing, 'response');
        outgoing.end(body);
        const [response] = (await answered) as [IncomingMessage];
        // With the answer there it does not matter how the connection ends.
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
