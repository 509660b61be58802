import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundPolicies } from '../../../src/policy/bound-policies.ts';
import { keepFiles, keepPublished, readKept } from '../../../src/gateway/policies/kept-policies.ts';
import { loadPolicyHere } from '../../../src/gateway/policies/policy-loading.ts';
import { versionOf } from '../../../src/gateway/policies/policy-version.ts';
import { PublishedPolicies } from '../../../src/gateway/policies/published-policies.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { access, principal } from '../../policy/fixture.ts';

const rule = (host: string): string => `rules: [{ name: r-${host}, hosts: ${host} }]\n`;
const read = (sources: Parameters<typeof loadPolicyHere>[0]) => loadPolicyHere(sources, {});
const bounds = { policiesMax: 10, policyVersionsMax: 2 };

async function publish(store: Store, text: string, policy: string, seen: number): Promise<void> {
  const files = text === '' ? [] : [{ name: 'p.yaml', text }];
  const binding = policy === 'main' ? {} : { binding: { team: policy } };
  const version = versionOf(files.map((file) => ({ file: file.name, text: file.text })));
  const outcome = await store.policies.publish(
    { policy, files, version, publishedMs: 1, publishedBy: 'ada', ...binding },
    seen,
    bounds,
  );
  assert.equal(outcome.kind, 'published');
}

test('a policy of files decides again as it did, and one whose hosts were discovered is not kept', async () => {
  await using store = await openStore('sqlite::memory:');
  const sources = [{ file: '/etc/p.yaml', text: rule('a.example.com') }];
  const version = versionOf(sources);
  await keepFiles({ store: store.policies, version, nowMs: 1 }, sources);
  await keepFiles({ store: store.policies, version: 'of tools', nowMs: 1 }, sources);
  const kept = await readKept(store.policies, version, read);
  assert.equal(kept?.version, version);
  const { effect, rule: by } = kept.decide(principal(), access('GET https://a.example.com/'), 0);
  assert.deepEqual([effect, by.place], ['allow', '/etc/p.yaml:1']);
  assert.equal(await readKept(store.policies, 'of tools', read), undefined);
  assert.equal(await readKept(store.policies, 'another', read), undefined);
});

test('published policies decide again together as they did, as long as their versions are kept', async () => {
  await using store = await openStore('sqlite::memory:');
  await publish(store, rule('a.example.com'), 'main', 0);
  await publish(store, rule('b.example.com'), 'web', 0);
  await publish(store, 'rules: {', 'ops', 0);
  await using policies = await PublishedPolicies.open({
    store: store.policies,
    names: {},
    gatewayId: 'g',
    clock: () => 1,
    onFault: (error) => assert.fail(error),
    onTaken: () => undefined,
    onRefused: () => undefined,
  });
  const { version } = policies.current;
  await keepPublished({ store: store.policies, version, nowMs: 1 }, policies);
  await publish(store, rule('c.example.com'), 'main', 1);
  const kept = await readKept(store.policies, version, read);
  assert.ok(kept instanceof BoundPolicies);
  assert.equal(kept.version, version);
  const said = (host: string, claims = {}): string => {
    const { effect, rule: by } = kept.decide(principal({ claims }), access(`GET https://${host}/`), 0);
    return `${effect} ${by.place ?? ''}`;
  };
  assert.equal(said('a.example.com'), 'allow main@1/p.yaml:1');
  assert.equal(said('b.example.com', { team: 'web' }), 'allow web@1/p.yaml:1');
  assert.equal(said('a.example.com', { team: 'ops' }), 'deny ');
  // Beyond the bound of versions its files are gone: nothing is explained by half of them.
  await publish(store, rule('d.example.com'), 'main', 2);
  assert.equal(await readKept(store.policies, version, read), undefined);
});
