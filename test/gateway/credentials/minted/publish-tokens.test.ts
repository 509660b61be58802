import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { CredentialConfig } from '../../../../src/gateway/credentials/credential-kinds.ts';
import { openCredentialScene } from '../support/credential-scene.ts';
import { openPublishRegistry } from '../support/publish-registry.ts';
import type { PublishRegistryKind } from '../support/publish-registry.ts';

const configOf = (registry: PublishRegistryKind, url: string, name: string): CredentialConfig => ({
  kind: 'publish-token',
  registry,
  package: name,
  registryUrl: url,
  source: { env: 'ID_TOKEN' },
});

/** Below `/in`, where the rule of the scene puts it on; the kinds look at the paths of registries, which are elsewhere. */
async function scene(registry: PublishRegistryKind, name: string) {
  const service = await openPublishRegistry(registry, name);
  const credential = configOf(registry, service.url, name);
  const opened = await openCredentialScene({
    credential,
    environment: { ID_TOKEN: await service.identity() },
    prefix: '/',
  });
  return {
    service,
    scene: opened,
    [Symbol.asyncDispose]: async () => {
      await opened[Symbol.asyncDispose]();
      await service[Symbol.asyncDispose]();
    },
  };
}

test('npm: the token is for the package that is named, and goes on the PUT of its document alone', async () => {
  await using npm = await scene('npm', '@scope/one');
  const { path, seen } = npm.scene;
  const put = (target: string) => npm.scene.send('PUT', target, '{}');
  await put('/@scope%2fone');
  await put('/@scope%2Ftwo');
  await put('/@scope%2Fone/-rev/1');
  await npm.scene.get('/@scope%2fone');
  const [token = ''] = npm.service.tokens;
  assert.equal(npm.service.boundTo(token), '@scope/one');
  assert.deepEqual(
    seen.map(({ headers }) => headers.authorization),
    [`Bearer ${token}`, undefined, undefined, undefined],
  );
  assert.equal(npm.service.calls.length, 1);
  assert.equal(path.audit.length, 4);
  npm.scene.assertKept(token);
});

test('PyPI: the token goes on uploads, with the user __token__', async () => {
  await using pypi = await scene('pypi', 'one');
  await pypi.scene.send('POST', '/legacy/', 'x');
  await pypi.scene.send('POST', '/legacy', 'x');
  const [token = ''] = pypi.service.tokens;
  const pair = Buffer.from(`__token__:${token}`).toString('base64');
  assert.deepEqual(
    pypi.scene.seen.map(({ headers }) => headers.authorization),
    [`Basic ${pair}`, undefined],
  );
  pypi.scene.assertKept(token);
});

test('crates.io: the token goes bare, on a new version', async () => {
  await using crates = await scene('crates', 'one');
  await crates.scene.send('PUT', '/api/v1/crates/new', 'x');
  await crates.scene.send('DELETE', '/api/v1/crates/one/1.0.0/yank', '');
  const [token = ''] = crates.service.tokens;
  assert.deepEqual(
    crates.scene.seen.map(({ headers }) => headers.authorization),
    [token, undefined],
  );
});

test('an identity that the registry does not trust is told by its words', async () => {
  await using service = await openPublishRegistry('pypi', 'one');
  await using opened = await openCredentialScene({
    credential: configOf('pypi', service.url, 'one'),
    environment: { ID_TOKEN: await service.identity('https://other.example.com') },
    prefix: '/',
  });
  const response = await opened.send('POST', '/legacy/', 'x');
  assert.equal(response.status, 502);
  assert.doesNotMatch(response.body, /invalid-publisher/);
  const [event] = opened.path.audit;
  assert.match(JSON.stringify(event), /refused a token to publish with \(status 422, invalid-publisher\)/);
});
