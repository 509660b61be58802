// Requests to a registry of packages, over the whole request path: what reaches the registry, what the client is told, what the audit says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { sendRaw } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();

test('a version that the rule does not name is refused before the registry is asked, and the audit has both', async () => {
  const asked: string[] = [];
  await using origin = await httpsOrigin({
    authority,
    handler: (request, response) => {
      asked.push(request.url ?? '');
      response.end('an archive');
    },
  });
  await using path = openRequestPath({
    policy: `rules:
  - { name: npm, hosts: npm.test, ports: ${String(origin.port)}, addresses: 127.0.0.0/8, packages: { registry: npm, allow: "lodash@>=4.17.21" } }`,
    hosts: ['npm.test'],
    trust: [authority.caPem],
  });
  const at = `npm.test:${String(origin.port)}`;
  const get = async (target: string): Promise<{ readonly status: number; readonly body: string }> =>
    await sendRaw(
      await path.tls(at),
      `GET ${target} HTTP/1.1\r\nHost: ${at}\r\nUser-Agent: npm/11.19.1\r\nConnection: close\r\n\r\n`,
    );
  assert.equal((await get('/lodash/-/lodash-4.17.21.tgz')).status, 200);
  const refused = await get('/lodash/-/lodash-4.17.20.tgz');
  assert.equal(refused.status, 403);
  const { error } = JSON.parse(refused.body) as { readonly error: string };
  assert.match(error, /lodash@4\.17\.20 is not in its allow/);
  assert.deepEqual(asked, ['/lodash/-/lodash-4.17.21.tgz']);
  const events = await path.events(2);
  assert.deepEqual(
    events.map(({ verdict, package: fetched }) => ({ verdict, fetched })),
    [
      { verdict: 'allow', fetched: { registry: 'npm', name: 'lodash', version: '4.17.21', isArchive: true } },
      { verdict: 'deny', fetched: { registry: 'npm', name: 'lodash', version: '4.17.20', isArchive: true } },
    ],
  );
});
