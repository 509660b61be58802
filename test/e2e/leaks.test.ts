// A gateway and an agent as real processes: what may not leave is refused and named, and a session that tries too often is ended with an
// alarm.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import https from 'node:https';
import { test } from 'node:test';
import { authority } from '../gateway/credentials/support/credential-scene.ts';
import { canary } from '../support/canary.ts';
import { deploy } from '../support/deployment.ts';
import { httpsOrigin } from '../support/origin.ts';
import { waitUntil } from '../support/program.ts';
import { tlsThrough } from '../support/proxy-client.ts';

test('a session that tries to send what may not leave is refused, then ended with an alarm', async () => {
  const [secret, planted] = [canary('held'), canary('planted')];
  const seen: string[] = [];
  await using origin = await httpsOrigin({
    authority,
    handler: (request, response) => {
      seen.push(request.url ?? '');
      response.end('ok');
    },
  });
  const own = { hosts: ['api.test'], ports: [origin.port], addresses: ['127.0.0.1/32'] };
  await using deployment = await deploy({
    authority,
    hosts: { 'api.test': '127.0.0.1', localhost: '127.0.0.1' },
    rules: [{ name: 'out', leaks: { on: 'block' }, ...own }],
    credentials: { held: { kind: 'bearer', source: { env: 'HELD' } } },
    environment: { HELD: secret, PLANTED: planted },
    config: { canaries: { notes: { source: { env: 'PLANTED' } } }, limits: { leakMatchesMax: 2 } },
  });
  await using agent = await deployment.startAgent();
  const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? assert.fail(), 'utf8');
  const target = { relayPort: agent.relayPort, host: 'api.test', port: origin.port, ca };
  const ask = async (path: string): Promise<number | undefined> => {
    const socket = await tlsThrough(target);
    const headers = { host: `api.test:${origin.port}`, connection: 'close' };
    const asked = https.get({ createConnection: () => socket, path, headers });
    const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
    response.resume();
    return response.statusCode;
  };
  assert.equal(await ask('/fine'), 200);
  assert.equal(await ask(`/?q=${planted}`), 403);
  assert.equal(await ask(`/?q=${Buffer.from(secret).toString('base64url')}`), 403);
  const alarmed = async (): Promise<boolean> =>
    (await deployment.audit()).some(({ kind, action }) => kind === 'alarm' && action === 'leaks_exceeded');
  await waitUntil('the session is ended with an alarm', alarmed);
  assert.deepEqual(seen, ['/fine']);
  const events = await deployment.audit();
  const leaks = events.flatMap((one) => (one['leaks'] as readonly { kind: string; name: string }[]) ?? []);
  assert.deepEqual(
    leaks.map(({ kind, name }) => `${kind} ${name}`),
    ['canary notes', 'credential held'],
  );
});
