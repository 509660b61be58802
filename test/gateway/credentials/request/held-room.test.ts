// The room of bodies that are read whole is free again when their request is over, whatever refused it on the way.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createTestAuthority } from '../../../support/test-authority.ts';
import { openRequestPath } from '../../support/request-path.ts';
import { sendRaw } from '../../support/raw-http.ts';

const secrets = {
  A: 'AKIDEXAMPLE',
  S: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  T: 'session-token-0123456789abcdef0123456789',
};
const aws = {
  kind: 'sigv4',
  accessKeyId: { env: 'A' },
  source: { env: 'S' },
  sessionToken: { env: 'T' },
  region: 'us-east-1',
  service: 'dynamodb',
};

type Options = Parameters<typeof openRequestPath>[0];

/** Requests that are signed over their bodies, to an origin that takes all of them. */
async function openScene(rule: string, limits: Options['limits'] = {}) {
  const authority = createTestAuthority();
  const server = https.createServer(authority.issue('allowed.test'), (request, response) => {
    request.resume().on('end', () => response.end('ok'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const path = openRequestPath({
    policy: `rules: [{ name: a, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8, inject: aws${rule} }]`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
    credentials: { aws: aws as never },
    environment: secrets,
    limits,
  });
  const at = `allowed.test:${port}`;
  const send = async (method: string, framing: string, body: string | Buffer) => {
    const head = `${method} / HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\n${framing}\r\n\r\n`;
    return await sendRaw(
      await path.tls(at, { principal: 'alice' }),
      Buffer.concat([Buffer.from(head), Buffer.from(body)]),
    );
  };
  return {
    path,
    send,
    post: (bytes: number) => send('POST', `Content-Length: ${bytes}`, Buffer.alloc(bytes, 'x')),
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]?.();
      server.close();
      server.closeAllConnections();
    },
  };
}

test('a request that is refused after its body was read whole gives its room back', async () => {
  // Enough for a body on its way, and too little for what is held of its response beside it.
  const bytes = 400_000;
  const limits = { heldOctetsPerSessionMax: 327_690, heldBodiesPerSessionBytesMax: 2 * bytes };
  await using scene = await openScene('', limits);
  for (let i = 0; i < 4; i += 1) {
    const { status, body } = await scene.post(bytes);
    assert.equal(status, 429);
    assert.match(body, /heldOctetsPerSessionMax/);
  }
  assert.equal((await scene.post(1000)).status, 200);
});

test('a body that turned out to be empty is signed as such, and nothing waits for its end again', async () => {
  await using scene = await openScene(', bodies: where-defined', { heldBodyTimeoutMs: 2000 });
  const { status } = await scene.send('GET', 'Transfer-Encoding: chunked', '0\r\n\r\n');
  assert.equal(status, 200);
});
