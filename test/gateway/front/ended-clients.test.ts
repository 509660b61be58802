// Clients that end their side as soon as they have sent a request: the end counts behind all that came before it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openRequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();

async function askEnded(
  bytes: number,
  framing: 'length' | 'chunked',
  missing = 0,
): Promise<{ readonly text: string; readonly received: readonly number[] }> {
  const received: number[] = [];
  await using origin = await httpsOrigin({
    authority,
    handler: (request, response) => {
      let count = 0;
      request.on('data', (piece: Buffer) => (count += piece.length)).on('error', () => undefined);
      request.on('end', () => {
        received.push(count);
        response.end(String(count));
      });
    },
  });
  await using path = openRequestPath({
    policy: `rules: [{ name: a, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8, limits: { bodyBytes: 60kB } }]`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
  const at = `allowed.test:${String(origin.port)}`;
  const client = await path.tls(at);
  client.on('error', () => undefined);
  const field = framing === 'length' ? `Content-Length: ${String(bytes)}` : 'Transfer-Encoding: chunked';
  const piece = 'x'.repeat(1000);
  const pieces = Array.from({ length: (bytes - missing) / piece.length }, () =>
    framing === 'length' ? piece : `3e8\r\n${piece}\r\n`,
  );
  const last = framing === 'chunked' && missing === 0 ? '0\r\n\r\n' : '';
  // In one piece, so that the end is there before the gateway has read what came before it.
  client.end(
    `POST / HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\n${field}\r\n\r\n${pieces.join('')}${last}`,
  );
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of client) chunks.push(chunk as Buffer);
  } catch {
    // A reset: what came before it is looked at.
  }
  return { text: Buffer.concat(chunks).toString('latin1'), received };
}

for (const framing of ['length', 'chunked'] as const) {
  test(`a request of a client that has ended its side is served whole (${framing})`, async () => {
    for (const bytes of [1000, 20_000, 40_000, 60_000]) {
      const { text, received } = await askEnded(bytes, framing);
      assert.match(text, /^HTTP\/1\.1 200 /, `${String(bytes)} bytes`);
      assert.deepEqual(received, [bytes]);
    }
  });

  test(`one that is too large gets its refusal (${framing})`, async () => {
    for (const bytes of [80_000, 3_000_000]) {
      const { text, received } = await askEnded(bytes, framing);
      assert.match(text, /^HTTP\/1\.1 413 /);
      assert.deepEqual(received, []);
    }
  });

  test(`one that is cut off reaches no origin as whole (${framing})`, async () => {
    for (const bytes of [30_000, 60_000]) {
      const { text, received } = await askEnded(bytes, framing, 20_000);
      assert.doesNotMatch(text, /^HTTP\/1\.1 200 /);
      assert.deepEqual(received, []);
    }
  });
}
