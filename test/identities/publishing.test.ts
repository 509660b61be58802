// `npm publish` in the jail with a placeholder in place of its token: the gateway exchanges an identity token at the registry, and the new token
// goes on the document of the one package. Faithful server: test/gateway/credentials/support/publish-registry.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { authority } from '../gateway/credentials/support/credential-scene.ts';
import { openPublishRegistry } from '../gateway/credentials/support/publish-registry.ts';
import { containerMs, inContainer, missing } from './support/container.ts';
import { openEchoOrigin } from './support/echo-origin.ts';

const skip = missing({ libraries: false });
const host = 'registry.example.com';
const placeholder = 'upstreamproxy-placeholder-npm-publish';

const programOf = (port: number): string => `
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
const registry = 'https://${host}:${port}/';
for (const name of ['@example/tool', '@example/other']) {
  const folder = process.env.HOME + '/' + name;
  mkdirSync(folder, { recursive: true });
  writeFileSync(folder + '/package.json', JSON.stringify({ name, version: '1.0.0', publishConfig: { access: 'public' } }));
  writeFileSync(folder + '/.npmrc', 'registry=' + registry + '\\n//${host}:${port}/:_authToken=\${NPM_TOKEN}\\n');
  const { status, stdout, stderr } = spawnSync('npm', ['publish', '--loglevel', 'http'], { cwd: folder, encoding: 'utf8' });
  console.log(name, status, stdout, stderr);
}
globalThis.kept = process.env.NPM_TOKEN;
`;

test('npm publishes the one package, and no other one', { skip, timeout: containerMs }, async () => {
  await using registry = await openPublishRegistry('npm', '@example/tool');
  await using origin = await openEchoOrigin(
    host,
    (authorization, { method, url }) =>
      method === 'GET' ||
      (registry.boundTo(authorization.replace('Bearer ', '')) === '@example/tool' &&
        url?.toLowerCase() === '/@example%2ftool'),
  );
  const identity = await registry.identity();
  await using container = await inContainer({
    files: { 'ca.pem': authority.caPem, identity },
    hosts: { [host]: '127.0.0.1', localhost: '127.0.0.1' },
    trust: { own: { file: 'ca.pem' } },
    credentials: {
      'npm-publish': {
        kind: 'publish-token',
        registry: 'npm',
        package: '@example/tool',
        registryUrl: registry.url,
        ca: 'ca.pem',
        source: { file: 'identity' },
        placeholder: { env: 'NPM_TOKEN' },
      },
    },
    rules: [
      {
        name: 'publish',
        hosts: host,
        ports: origin.port,
        addresses: '127.0.0.1/32',
        methods: ['PUT'],
        paths: ['/@example%2ftool', '/@example%2fother'],
        inject: 'npm-publish',
        trust: 'own',
      },
    ],
    program: programOf(origin.port),
  });
  const { out, err } = container;
  assert.match(out, /^@example\/tool 0 /m, `${out}${err}`);
  assert.match(out, /^@example\/other 1 /m, `${out}${err}`);
  const puts = origin.seen.filter(({ method }) => method === 'PUT');
  const [token = ''] = registry.tokens;
  assert.equal(registry.calls.length, 1);
  assert.deepEqual(
    new Set(puts.map(({ path, authorization }) => `${path} ${authorization}`)),
    // What is not of the package goes as the client sent it, without the client's own field.
    new Set([`/@example%2Ftool Bearer ${token}`, '/@example%2Fother ']),
  );
  container.assertWithout([token, identity], placeholder);
});
