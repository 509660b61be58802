// A request to switch to WebSocket takes nothing away from what its rule does about responses.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const host = 'api.test';
const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const hidden = '\u200b'.repeat(20);

interface Got {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  ask(): Promise<Got>;
}

/** `body`: of an origin that does not care for `Upgrade`; without it the origin switches, and ends. */
async function openScene(keys: string, body?: string): Promise<Scene> {
  const server = createServer(authority.issue(host), (_, response) => {
    response.setHeader('connection', 'close');
    response.setHeader('content-type', 'application/json').end(body);
  });
  if (body === undefined)
    server.on('upgrade', (_, socket: Duplex) => {
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const fields = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}`;
      // A frame that closes.
      socket.on('error', () => undefined);
      socket.end(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\n\x88\x00`, 'latin1');
    });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const path = openRequestPath({
    policy: `rules:\n  - { name: api, hosts: ${host}, ports: ${port}, addresses: 127.0.0.0/8, ${keys} }\n`,
    hosts: [host],
    trust: [authority.caPem],
    limits: { closeTimeoutMs: 100 },
  });
  const at = `${host}:${port}`;
  return {
    path,
    ask: async () => {
      const socket = await path.tls(at, { alpn: ['http/1.1'] });
      const headers = {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': key,
      };
      const asked = request({ createConnection: () => socket, host, port, path: '/x', headers });
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
      asked.on('response', resolve).on('upgrade', resolve).on('error', reject).end();
      const response = await promise;
      const { statusCode: status } = response;
      const said = status === 101 ? '' : await text(response);
      socket.destroy();
      return { status, headers: response.headers, body: said };
    },
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      server.close();
      server.closeAllConnections();
    },
  };
}

test('a response that is no switch is screened and rewritten as any other', async () => {
  await using screened = await openScene('screen: { on: block }', `{"text":"${hidden}"}`);
  const blocked = await screened.ask();
  assert.equal(blocked.status, 403);
  const [event] = await screened.path.events(1);
  assert.equal(event?.errorCode, 'response_screened');
  assert.deepEqual(
    event?.screened?.map(({ mark }) => mark),
    ['hidden-text'],
  );
  await using rewritten = await openScene(
    'rewrite: { response: { redact: /email } }',
    '{"email":"a@b.test"}',
  );
  const { status, body } = await rewritten.ask();
  assert.equal(status, 200);
  assert.doesNotMatch(body, /b\.test/);
  assert.match(body, /\[redacted\]/);
});

test('a response that switches is unscreened: blocked, annotated or told', async () => {
  for (const [on, status, action] of [
    ['block', 403, 'blocked'],
    ['annotate', 101, 'annotated'],
    ['alert', 101, 'told'],
  ] as const) {
    await using scene = await openScene(`screen: { on: ${on} }`);
    const response = await scene.ask();
    assert.equal(response.status, status);
    assert.equal(response.headers['upstreamproxy-screened'], on === 'annotate' ? 'unscreened' : undefined);
    const [event] = await scene.path.events(1);
    assert.deepEqual(event?.screened, [{ mark: 'unscreened', name: 'websocket', action }]);
  }
});

test('nothing switches where its rule changes responses', async () => {
  await using scene = await openScene('rewrite: { response: { redact: /email } }');
  assert.equal((await scene.ask()).status, 502);
  assert.equal((await scene.path.events(1))[0]?.errorCode, 'origin_malformed');
  await using plain = await openScene('methods: GET');
  assert.equal((await plain.ask()).status, 101);
});
