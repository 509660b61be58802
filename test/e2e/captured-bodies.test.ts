// Bodies that a rule had kept, from a workload's request to the operator's command: real processes, and nothing readable on the disk.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import https from 'node:https';
import type { IncomingMessage } from 'node:http';
import { readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { AuditEvent } from '../../src/api/audit-event.ts';
import { mustRunShared, runShared } from '../support/command-process.ts';
import { deploy } from '../support/deployment.ts';
import { httpsOrigin } from '../support/origin.ts';
import { agentThrough } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const canary = 'value-9d31-that-nobody-may-see';
const host = 'api.example.com';

test('a kept exchange is printed for an operator, without the injected value, and the audit says who looked', async () => {
  const authority = createTestAuthority();
  await using origin = await httpsOrigin({
    authority,
    handler: (request, response) => {
      request.resume();
      response.setHeader('content-type', 'text/html');
      response.end(`<script>${request.headers.authorization ?? ''}</script>\u001b[2J\u202e`);
    },
  });
  await using deployment = await deploy({
    rules: [
      {
        name: 'kept',
        hosts: [host],
        ports: [origin.port],
        addresses: ['127.0.0.1'],
        inject: 'api',
        capture: { bodies: true, redact: ['password'] },
      },
      { name: 'also', hosts: ['b.example.com'], ports: [origin.port], capture: { bodies: true } },
    ],
    hosts: { [host]: '127.0.0.1' },
    authority,
    credentials: { api: { kind: 'bearer', source: { env: 'API_TOKEN' } } },
    environment: { API_TOKEN: canary },
  });
  await using agent = await deployment.startAgent();
  const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
  const connection = await agentThrough({ relayPort: agent.relayPort, host, port: origin.port, ca });
  const headers = { 'content-type': 'application/json' };
  const asked = https.request({
    agent: connection,
    host,
    port: origin.port,
    method: 'POST',
    path: '/',
    headers,
  });
  asked.end('{"user":"ada","password":"hunter2"}');
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  connection.destroy();
  const place = ['--config', deployment.configFile];
  const tail = async (): Promise<readonly AuditEvent[]> =>
    (await mustRunShared(['audit', 'tail', '--json', ...place]))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditEvent);
  const event = (await tail()).find(({ rule }) => rule === 'kept');
  // The request was redacted, and of the response, which is no JSON, nothing is kept then.
  assert.deepEqual(event?.captured, { request: 38, response: 0, machine: hostname() });
  const printed = await mustRunShared(['audit', 'body', event.id, ...place]);
  assert.match(printed, /"user":"ada","password":"\[redacted\]"/);
  assert.match(printed, /nothing of it is kept/);
  assert.doesNotMatch(printed, /hunter2|value-9d31/);
  const viewed = (await tail()).find(({ action }) => action === 'bodies_viewed');
  assert.equal(viewed?.details?.['event'], event.id);
  const unknown = await runShared(['audit', 'body', '../key', ...place]);
  assert.equal(unknown.code, 64);
  const folder = join(dirname(deployment.configFile));
  for (const one of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (one.isFile() && one.name.endsWith('.body'))
      assert.doesNotMatch(await readFile(join(one.parentPath, one.name), 'latin1'), /ada|hunter2|json/);
});
