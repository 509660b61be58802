// Publishing over the whole request path: what reaches the registry, with whose token, and what the audit says.

import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Limits } from '../../../src/protocol/limits.ts';
import { httpsOrigin } from '../../support/origin.ts';
import {
  cargoBody,
  formBoundary,
  formOf,
  npmDocument,
  npmManifest,
  publishedArchive,
  pypiFields,
} from '../../support/publications.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { sendRaw } from '../support/raw-http.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const token = 'a-token-of-the-owner';

interface Received {
  readonly target: string;
  readonly body: Buffer;
  readonly token: string | undefined;
}

interface Registry extends AsyncDisposable {
  readonly path: RequestPath;
  readonly received: readonly Received[];
  send(
    target: string,
    body?: string | Buffer,
    type?: string,
  ): Promise<{ readonly status: number; readonly body: string }>;
}

async function openRegistry(
  registry: string,
  allow: string,
  limits: Partial<Limits> = {},
): Promise<Registry> {
  const received: Received[] = [];
  const origin = await httpsOrigin({
    authority,
    handler: (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { authorization } = request.headers;
        received.push({ target: request.url ?? '', body: Buffer.concat(chunks), token: authorization });
        response.end('{}');
      });
    },
  });
  const at = `registry.test:${String(origin.port)}`;
  const rule = `hosts: registry.test, ports: ${String(origin.port)}, addresses: 127.0.0.0/8`;
  const path = openRequestPath({
    policy: `rules:
  - { name: read, ${rule}, packages: { registry: ${registry} } }
  - { name: publish, ${rule}, inject: token, packages: { registry: ${registry}, publish: { allow: ${allow} } } }`,
    hosts: ['registry.test'],
    trust: [authority.caPem],
    credentials: { token: { kind: 'bearer', source: { env: 'S' } } },
    environment: { S: token },
    limits,
  });
  return {
    path,
    received,
    send: async (target, body = '', type = 'application/json') => {
      const octets = Buffer.from(body);
      const fields = [`Host: ${at}`, 'Connection: close', `Content-Type: ${type}`];
      const head = [`${target} HTTP/1.1`, ...fields, `Content-Length: ${String(octets.length)}`, '', ''];
      return await sendRaw(await path.tls(at), Buffer.concat([Buffer.from(head.join('\r\n')), octets]));
    },
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await origin.close();
    },
  };
}

const sha = (algorithm: string, octets: string | Uint8Array): string =>
  `${algorithm}-${createHash(algorithm).update(octets).digest('base64')}`;

test('npm publishes what the rule names, with its token; no other request has the token', async () => {
  await using registry = await openRegistry('npm', '"@acme/tool@>=1.0.0"');
  const document = JSON.stringify(npmDocument('@acme/tool', '1.2.3'));
  assert.equal((await registry.send('PUT /@acme%2ftool', document)).status, 200);
  // The very octets, with the token of the rule.
  assert.deepEqual(registry.received, [
    { target: '/@acme%2Ftool', body: Buffer.from(document), token: `Bearer ${token}` },
  ]);
  const other = npmManifest('other', '1.2.3');
  for (const [target, body] of [
    ['PUT /other', npmDocument('other', '1.2.3')],
    ['PUT /@acme%2ftool', npmDocument('@acme/tool', '0.9.0')],
    ['PUT /@acme%2ftool', npmDocument('other', '1.2.3')],
    ['PUT /@acme%2ftool', npmDocument('@acme/tool', '1.2.3', { versions: { '1.2.3': other } })],
    ['PUT /@acme%2ftool', npmDocument('@acme/tool', '1.2.3', { _attachments: {} })],
    ['PUT /@acme%2ftool', undefined],
    ['PUT /-/package/@acme%2ftool/dist-tags/latest', '1.2.3'],
    ['DELETE /@acme%2ftool/-rev/1-a', undefined],
    ['POST /-/package/@acme%2ftool/access', { access: 'public' }],
    ['GET /-/whoami', undefined],
  ] as const) {
    const { status } = await registry.send(target, body === undefined ? '' : JSON.stringify(body));
    assert.equal(status, 403, target);
  }
  for (const target of ['GET /@acme%2ftool', 'GET /other', 'GET /other/-/other-1.0.0.tgz', 'GET /-/ping'])
    assert.equal((await registry.send(target)).status, 200, target);
  assert.deepEqual(
    registry.received.slice(1).map((one) => one.token),
    [undefined, undefined, undefined, undefined],
  );
  const [first, second] = await registry.path.events(2);
  assert.deepEqual(first?.package, {
    registry: 'npm',
    name: '@acme/tool',
    version: '1.2.3',
    operation: 'publish',
    digest: sha('sha512', publishedArchive),
  });
  assert.deepEqual(first.injected, ['token']);
  assert.equal(second?.verdict, 'deny');
  assert.match(second.message ?? '', /other is not in what it lets be published \(@acme\/tool@>=1\.0\.0\)/);
});

test('a refusal names what two readers would read differently', async () => {
  await using registry = await openRegistry('npm', '"@acme/tool"');
  const twice = `{"name":"other",${JSON.stringify(npmDocument('@acme/tool', '1.2.3')).slice(1)}`;
  const { status, body } = await registry.send('PUT /@acme%2ftool', twice);
  assert.equal(status, 403);
  assert.match(body, /the name .*name.* a second time/);
  assert.deepEqual(registry.received, []);
});

test('PyPI takes a form by its fields and its file, and cargo by its metadata and its archive', async () => {
  await using pypi = await openRegistry('pypi', 'acme-tool');
  const type = `multipart/form-data; boundary=${formBoundary}`;
  const fields = pypiFields('acme_tool', '1.0', 'acme_tool-1.0.tar.gz');
  const others = pypiFields('other', '1.0', 'other-1.0.tar.gz');
  const statuses: number[] = [];
  for (const form of [fields, others, [...fields, { name: 'name', value: 'other' }]])
    statuses.push((await pypi.send('POST /legacy/', formOf(form), type)).status);
  assert.deepEqual(statuses, [200, 403, 403]);
  assert.deepEqual(
    pypi.received.map((one) => [one.target, one.token]),
    [['/legacy/', `Bearer ${token}`]],
  );

  await using cargo = await openRegistry('cargo', 'acme-tool');
  const bodies = [
    cargoBody({ name: 'acme-tool', vers: '1.0.0' }, 'acme-tool-1.0.0'),
    cargoBody({ name: 'other', vers: '1.0.0' }, 'other-1.0.0'),
    cargoBody({ name: 'acme-tool', vers: '1.0.0' }, 'other-1.0.0'),
  ];
  const replies: number[] = [];
  for (const body of bodies) replies.push((await cargo.send('PUT /api/v1/crates/new', body)).status);
  assert.deepEqual(replies, [200, 403, 403]);
  assert.deepEqual(
    cargo.received.map((one) => one.body),
    bodies.slice(0, 1),
  );
});

test('an image is uploaded in its parts to its own repository alone', async () => {
  await using oci = await openRegistry('oci', 'acme/app');
  const digest = `sha256:${createHash('sha256').update('layer').digest('hex')}`;
  const manifest = '{"schemaVersion":2}';
  const hex = createHash('sha256').update(manifest).digest('hex');
  for (const [target, body, expected] of [
    ['POST /v2/acme/app/blobs/uploads/', '', 200],
    ['PATCH /v2/acme/app/blobs/uploads/u-1?_state=s', 'layer', 200],
    [`PUT /v2/acme/app/blobs/uploads/u-1?_state=s&digest=${digest}`, '', 200],
    [`POST /v2/acme/app/blobs/uploads/?mount=${digest}&from=secret/app`, '', 403],
    ['PUT /v2/acme/app/manifests/v1', manifest, 200],
    [`PUT /v2/acme/app/manifests/sha256:${hex}`, manifest, 200],
    [`PUT /v2/acme/app/manifests/sha256:${'0'.repeat(64)}`, manifest, 403],
    ['PUT /v2/other/app/manifests/v1', manifest, 403],
    ['DELETE /v2/acme/app/manifests/v1', '', 403],
  ] as const)
    assert.equal((await oci.send(target, body)).status, expected, target);
  assert.deepEqual(new Set(oci.received.map((one) => one.token)), new Set([`Bearer ${token}`]));
  const events = await oci.path.events(9);
  const tagged = events.find(
    ({ package: facts }) => facts?.version === 'v1' && facts.operation === 'publish',
  );
  assert.deepEqual(tagged?.package, {
    registry: 'oci',
    name: 'acme/app',
    version: 'v1',
    operation: 'publish',
    digest: sha('sha256', manifest),
  });
});

test('a body that is longer than the limit is refused, and one with a coding', async () => {
  await using registry = await openRegistry('npm', '"@acme/tool"', { publishBodyBytesMax: 100 });
  const document = JSON.stringify(npmDocument('@acme/tool', '1.2.3'));
  const { status, body } = await registry.send('PUT /@acme%2ftool', document);
  assert.equal(status, 413);
  assert.match(body, /publishBodyBytesMax/);
  const coded = await registry.send('PUT /@acme%2ftool', '{}', 'application/json\r\nContent-Encoding: gzip');
  assert.equal(coded.status, 403);
  assert.match(coded.body, /the field content-encoding/);
  assert.deepEqual(registry.received, []);
});
