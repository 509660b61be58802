// What is known against packages is known to explanations too.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { AdvisoryIndex, packageKey, packageLine } from '../../../src/understand/packages/advisory-index.ts';
import { openAdminScene } from './admin-fixture.ts';

const text =
  'rules: [{ name: npm, hosts: registry.example.com, packages: { registry: npm, advisories: { deny: high } } }]';

function indexOf(bounds: readonly string[]): AdvisoryIndex {
  const advisory = { ids: ['GHSA-1'], level: 'critical', places: [0, 1], odd: [] } as const;
  const line = Buffer.from(
    packageLine(packageKey('npm', 'lodash'), { bounds, advisories: bounds.length === 0 ? [] : [advisory] }),
  );
  const registries = new Map([['npm', { packages: 1, advisories: 1, newestMs: 1 }]] as const);
  const sha256 = createHash('sha256').update(line).digest('hex');
  return new AdvisoryIndex({ madeMs: 1, registries, bytes: line.length, sha256 }, line);
}

test('a version that something is known against is explained as the gateway decides it', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('viewer');
  const explained = async (version: string): Promise<readonly [string, string]> => {
    const body = {
      files: [{ name: 'p.yaml', text }],
      method: 'GET',
      url: `https://registry.example.com/lodash/-/lodash-${version}.tgz`,
    };
    const response = await scene.call('POST', '/v1/policy/explain', { token, body });
    assert.equal(response.status, 200, response.text);
    const { effect, text: said } = response.json as { readonly effect: string; readonly text: string };
    return [effect, said];
  };
  const [effect, said] = await explained('2.0.0');
  assert.equal(effect, 'deny');
  assert.match(said, /there is no index of advisories/);
  const index = indexOf(['2.0.0']);
  Object.assign(scene.parts, {
    advisories: { state: () => ({ index, staleForMs: 0, staleRegistries: [] }) },
  });
  assert.equal((await explained('2.0.0'))[0], 'allow');
  const [denied, why] = await explained('1.0.0');
  assert.equal(denied, 'deny');
  assert.match(why, /lodash@1\.0\.0 is affected by GHSA-1 \(critical\)/);
});
