import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';

import { readGitSignWords } from '../../../src/cli/agent/git-sign-words.ts';
import { signThroughRelay } from '../../../src/cli/agent/sign-through-relay.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const armor = '-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n';
const object = Buffer.from('tree and so on');

async function openRelay(
  respond: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void,
  place: number | string = 0,
) {
  const server = createServer((request, response) => {
    void buffer(request).then((body) => respond(request, response, body));
  });
  if (typeof place === 'string') server.listen(place);
  else server.listen(place, '127.0.0.1');
  await once(server, 'listening');
  return {
    // Of a server that listens on a port.
    port: typeof place === 'string' ? 0 : (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const ask = (relay: Parameters<typeof signThroughRelay>[0]['relay'], namespace = 'git'): Promise<string> =>
  signThroughRelay({ relay, namespace, object });

test('the words of git name the purpose and the file, and other words are for nobody here', () => {
  const words = ['-Y', 'sign', '-n', 'git', '-f', '/tmp/key', '-U', '/tmp/buffer'];
  assert.deepEqual(readGitSignWords(words), { namespace: 'git', file: '/tmp/buffer' });
  assert.deepEqual(readGitSignWords(words.slice(0, 6)), { namespace: 'git', file: undefined });
  for (const others of [
    ['-Y', 'verify', '-n', 'git', 'x'],
    ['-Y', 'sign', '-f', 'key', 'x'],
    [...words, 'another'],
    ['-Y', 'sign', '-n', 'git', '-x'],
    [],
  ])
    assert.throws(() => readGitSignWords(others), { code: 'usage' });
});

test('the object goes whole to the gateway itself, and its signature comes back', async () => {
  const asked: unknown[] = [];
  const respond = (request: IncomingMessage, response: ServerResponse, body: Buffer): void => {
    asked.push([request.method, request.url, request.headers.host, body.toString()]);
    response.end(armor);
  };
  await using relay = await openRelay(respond);
  assert.equal(await ask({ host: '127.0.0.1', port: relay.port }, 'git&x=y'), armor);
  await using directory = await temporaryDirectory();
  const socketPath = join(directory.path, 'relay');
  await using _other = await openRelay(respond, socketPath);
  assert.equal(await ask({ socketPath }), armor);
  const at = 'http://upstreamproxy.invalid/sign?namespace=';
  assert.deepEqual(asked, [
    ['POST', `${at}git%26x%3Dy`, 'upstreamproxy.invalid', 'tree and so on'],
    ['POST', `${at}git`, 'upstreamproxy.invalid', 'tree and so on'],
  ]);
});

test('a refusal is told by its code and reason, and what is no signature is none', async () => {
  const responses: readonly (readonly [status: number, body: string, said: object])[] = [
    [
      403,
      JSON.stringify({ code: 'policy_denied', detail: 'No rule\u001b[31m allows it.', trace_id: 'ab' }),
      { code: 'policy_denied', message: 'No rule [31m allows it. (trace ab)' },
    ],
    [502, '<html>', { code: 'gateway_protocol' }],
    [200, 'hello', { code: 'gateway_protocol' }],
    [200, armor.replace('AAAA', 'AA\u0000A'), { code: 'gateway_protocol' }],
    [200, `${armor}${armor}`, { code: 'gateway_protocol' }],
    [200, 'x'.repeat(2_000_000), { code: 'gateway_unreachable' }],
  ];
  for (const [status, body, said] of responses) {
    await using relay = await openRelay((_, response) => void response.writeHead(status).end(body));
    await assert.rejects(ask({ host: '127.0.0.1', port: relay.port }), said, body.slice(0, 40));
  }
  const { port } = await openRelay(() => undefined).then(async (relay) => {
    await relay[Symbol.asyncDispose]();
    return relay;
  });
  await assert.rejects(ask({ host: '127.0.0.1', port }), { code: 'gateway_unreachable' });
});
