// Digests behind a body: to an origin of HTTP/2 they go on, unless the gateway has said in the head what the body is.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { createTestAuthority } from '../../../support/test-authority.ts';
import { sendRaw } from '../../support/raw-http.ts';
import { openRequestPath } from '../../support/request-path.ts';
import { credentialOf } from '../support/signed-request.ts';

interface Seen {
  readonly trailer: string;
}

async function trailersBehind(template: string): Promise<Seen> {
  const authority = createTestAuthority();
  const seen: Seen[] = [];
  const server = createSecureServer(authority.issue('origin.test'));
  server.on('stream', (stream: ServerHttp2Stream) => {
    let trailer = '';
    stream.on('trailers', (fields) => (trailer = String(fields['content-digest'] ?? '')));
    stream.resume().on('end', () => {
      seen.push({ trailer });
      stream.respond({ ':status': 200 });
      stream.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    await using path = openRequestPath({
      policy: `rules:\n  - { name: a, hosts: origin.test, ports: ${port}, addresses: 127.0.0.0/8, inject: it }\n`,
      hosts: ['origin.test'],
      trust: [authority.caPem],
      credentials: {
        it: credentialOf({
          kind: 'hmac',
          template,
          headers: { 'X-Sign': '{signature}' },
        }),
      },
      environment: { KEY: 'a-key-of-both-sides' },
    });
    const at = `origin.test:${port}`;
    const head = [`POST /a HTTP/1.1`, `Host: ${at}`, 'Connection: close', 'Transfer-Encoding: chunked'];
    const body = '4\r\nbody\r\n0\r\nContent-Digest: sha-256=:b3RoZXI=:\r\n\r\n';
    const { status } = await sendRaw(await path.tls(at), `${head.join('\r\n')}\r\n\r\n${body}`);
    assert.equal(status, 200);
    return seen[0] ?? assert.fail('nothing came');
  } finally {
    server.close();
  }
}

test('a digest behind a body that is signed does not go on; behind another it does', async () => {
  assert.equal((await trailersBehind('{method}\n{path}')).trailer, 'sha-256=:b3RoZXI=:');
  assert.equal((await trailersBehind('{body}')).trailer, '');
});
