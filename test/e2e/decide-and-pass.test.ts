// A gateway and an agent as real processes: a decider has to allow what its rule allows, and what nobody has to look at passes unopened.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { authority } from '../gateway/credentials/support/credential-scene.ts';
import { deploy } from '../support/deployment.ts';
import { openOpa } from '../support/opa-server.ts';
import { httpsOrigin } from '../support/origin.ts';
import { waitUntil } from '../support/program.ts';
import { tlsThrough } from '../support/proxy-client.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('a decider is asked over TLS with its own certificates and token, and a host that nobody looks at passes unopened', async () => {
  await using directory = await temporaryDirectory();
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(directory.path, name), text, { mode: 0o600 });
    return join(directory.path, name);
  };
  await using opa = await openOpa({
    documents: { 'gateway/allow': ({ request }: { request: { path: string } }) => request.path === '/yes' },
    token: 'shown',
    tls: { authority, host: 'opa.test' },
  });
  const seen: string[] = [];
  await using origin = await httpsOrigin({
    authority,
    handler: (request, response) => {
      seen.push(request.url ?? '');
      response.end('ok');
    },
  });
  const own = { ports: [origin.port], addresses: ['127.0.0.1/32'] };
  const names = ['api.test', 'mirror.test', 'opa.test', 'localhost'];
  await using deployment = await deploy({
    authority,
    hosts: Object.fromEntries(names.map((name) => [name, '127.0.0.1'])),
    rules: [
      { name: 'asked', hosts: ['api.test'], decide: { by: 'opa', timeoutMs: 10_000 }, ...own },
      { name: 'mirror', hosts: ['mirror.test'], tls: 'auto', ...own },
    ],
    config: {
      deciders: {
        opa: {
          kind: 'opa',
          url: opa.url('gateway/allow'),
          ca: await file('opa-ca.pem', authority.caPem),
          source: { file: await file('token', 'shown\n') },
        },
      },
    },
  });
  await using agent = await deployment.startAgent();
  const agentCa = await readFile(agent.env['SSL_CERT_FILE'] ?? assert.fail(), 'utf8');
  const ask = async (host: string, path: string) => {
    const ca = `${agentCa}\n${authority.caPem}`;
    const socket = await tlsThrough({ relayPort: agent.relayPort, host, port: origin.port, ca });
    const issuer = socket.getPeerX509Certificate()?.issuer ?? '';
    const headers = { host: `${host}:${String(origin.port)}`, connection: 'close' };
    const asked = https.get({ createConnection: () => socket, path, headers });
    const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
    response.resume();
    return { status: response.statusCode, isOpened: !issuer.includes('test origins CA') };
  };
  assert.deepEqual(await ask('api.test', '/yes'), { status: 200, isOpened: true });
  assert.deepEqual(await ask('api.test', '/no'), { status: 403, isOpened: true });
  assert.deepEqual(await ask('mirror.test', '/file'), { status: 200, isOpened: false });
  assert.deepEqual(seen, ['/yes', '/file']);
  const told = (await deployment.audit()).flatMap((one) => one['deciders'] ?? []) as { outcome: string }[];
  assert.deepEqual(
    told.map(({ outcome }) => outcome),
    ['allowed', 'denied'],
  );
  await waitUntil('the connection has its event', async () =>
    (await deployment.audit()).some(({ rule, protocol }) => rule === 'mirror' && protocol === 'passthrough'),
  );
});
