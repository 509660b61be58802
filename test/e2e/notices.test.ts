// Notices of a gateway, as a receiver and a chat get them: signed, once, and nothing that is secret. Receivers that are dead cost a request nothing.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';

import { deploy } from '../support/deployment.ts';
import { httpsOrigin } from '../support/origin.ts';
import { waitUntil } from '../support/program.ts';
import { agentThrough } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

interface Posted {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** The first message to each path has status 503. */
async function noticeReceiver(
  server: http.Server | https.Server,
): Promise<AsyncDisposable & { readonly port: number; readonly posted: readonly Posted[] }> {
  const posted: Posted[] = [];
  const refused = new Set<string>();
  server.on('request', (request: IncomingMessage, response: http.ServerResponse) => {
    void text(request).then((body) => {
      const { url: path = '', headers } = request;
      if (!refused.has(path)) {
        refused.add(path);
        return response.writeHead(503).end();
      }
      posted.push({ path, headers, body });
      return response.writeHead(204).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    posted,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

test('denials and used-up budgets are told, signed and in words, and dead receivers cost nothing', async () => {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const origin = stack.use(await httpsOrigin({ authority, defaultHost: 'api.test' }));
  const { port } = origin;
  const receiver = stack.use(await noticeReceiver(https.createServer(authority.issue('127.0.0.1'))));
  const chat = stack.use(await noticeReceiver(http.createServer()));
  // Accepts, and never says a word.
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  stack.defer(() => void silent.close());
  const folder = stack.use(await temporaryDirectory()).path;
  const ca = join(folder, 'ca.pem');
  await writeFile(ca, authority.caPem);
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const set = stack.use(
    await deploy({
      rules: [
        {
          name: 'few',
          hosts: ['api.test'],
          ports: [port],
          addresses: ['127.0.0.1'],
          limits: { requestsPerSession: 1 },
        },
      ],
      hosts: { 'api.test': '127.0.0.1' },
      environment: { NOTICE_SECRET: secret, CHAT_URL: `http://127.0.0.1:${chat.port}/services/hidden-path` },
      authority,
      config: {
        denials: { text: 'Ask the platform team.', link: 'https://wiki.example.com/proxy' },
        notices: {
          systems: {
            url: `https://127.0.0.1:${receiver.port}/in`,
            secret: { env: 'NOTICE_SECRET' },
            tell: ['denial', 'budget', 'alarm'],
            ca,
          },
          chat: { urlFrom: { env: 'CHAT_URL' }, format: 'slack', tell: 'denial' },
          dead: { url: 'https://127.0.0.1:9/', secret: { env: 'NOTICE_SECRET' }, tell: 'denial' },
          mute: {
            url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`,
            format: 'slack',
            tell: 'denial',
          },
        },
      },
    }),
  );
  const agent = stack.use(await set.startAgent());
  const trusted = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
  const bodies: string[] = [];
  const ask = async (host: string, path: string): Promise<number> => {
    const connection = await agentThrough({ relayPort: agent.relayPort, host, port, ca: trusted });
    const request = https.get({ agent: connection, host, port, path });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    bodies.push(await text(response));
    connection.destroy();
    return response.statusCode ?? 0;
  };
  assert.equal(await ask('api.test', '/hello'), 200);
  assert.equal(await ask('api.test', '/hello'), 429);
  for (let i = 0; i < 3; i += 1) assert.equal(await ask('denied.test', '/x?key=hidden-query'), 403);
  const help = /^help: Ask the platform team\. https:\/\/wiki\.example\.com\/proxy$/m;
  assert.deepEqual(
    bodies.map((body) => help.test(body)),
    [false, true, true, true, true],
  );
  await waitUntil('two notices and a message', () => receiver.posted.length >= 2 && chat.posted.length >= 1);

  const verified = receiver.posted.map(({ headers, body, path }) => {
    assert.equal(path, '/in');
    assert.match(headers['content-type'] ?? '', /^application\/cloudevents\+json/);
    // As the library types it.
    return new Webhook(secret).verify(body, headers as Record<string, string>) as {
      readonly type: string;
      readonly id: string;
      readonly data: Readonly<Record<string, unknown>>;
    };
  });
  assert.deepEqual(
    verified.map(({ type }) => type),
    ['upstreamproxy.budget', 'upstreamproxy.denial'],
  );
  assert.deepEqual(
    receiver.posted.map(({ headers }) => headers['webhook-id']),
    verified.map(({ id }) => id),
  );
  assert.equal(verified[0]?.data['rule'], 'few');
  assert.equal(verified[1]?.data['host'], 'denied.test');
  assert.match(String(verified[1]?.data['text']), /^A session of .* was denied GET denied\.test \/x\?…: /);

  const [message] = chat.posted;
  assert.equal(message?.path, '/services/hidden-path');
  assert.equal(message?.headers['webhook-signature'], undefined);
  assert.match(message?.body ?? '', /was denied GET denied\.test/);
  const said = set.gateway.log();
  const all = JSON.stringify([receiver.posted, chat.posted]) + said;
  for (const hidden of ['hidden-query', secret]) assert.ok(!all.includes(hidden), hidden);
  assert.ok(!said.includes('hidden-path'), said);
  assert.match(said, /notices dead\) is not taken/);
});
