// What every engine of the store must do with published policies; part of the suite in store.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { versionOf } from '../../src/gateway/policies/policy-version.ts';
import type { NewPolicyVersion, PublishOutcome } from '../../src/store/policy-store.ts';
import type { Store } from '../../src/store/store.ts';

export const policyBounds = { policiesMax: 3, policyVersionsMax: 4 };

export function newPolicy(text: string, changes: Partial<NewPolicyVersion> = {}): NewPolicyVersion {
  return {
    policy: 'main',
    files: [{ name: 'policy.yaml', text }],
    version: versionOf([{ file: '', text }]),
    publishedMs: 1000,
    publishedBy: 'ada',
    ...changes,
  };
}

async function publish(store: Store, version: NewPolicyVersion, seen: number): Promise<PublishOutcome> {
  return await store.policies.publish(version, seen, policyBounds);
}

/** The number that it got; it must have been published. */
async function published(store: Store, version: NewPolicyVersion, seen: number): Promise<number> {
  const outcome = await publish(store, version, seen);
  assert.equal(outcome.kind, 'published');
  return outcome.kind === 'published' ? outcome.version.number : 0;
}

export function policyConformance(open: () => Promise<Store>): void {
  test('a policy is found as it was published, with its files in their order', async () => {
    await using store = await open();
    assert.deepEqual(await store.policies.published(), []);
    const files = [
      { name: 'b.yaml', text: 'rules: []\n# \u202e\u0007 é' },
      { name: 'a.yaml', text: '' },
    ];
    const binding = { team: 'web*', level: 3, trusted: true };
    const version = newPolicy('x', { files, binding, note: 'for the release' });
    const outcome = await publish(store, version, 0);
    const [head] = await store.policies.published();
    assert.ok(head);
    assert.deepEqual(outcome, { kind: 'published', version: head });
    const { files: _, ...rest } = version;
    assert.deepEqual(head, { ...rest, number: 1, hash: head.hash, isWithdrawn: false });
    assert.deepEqual(await store.policies.files(head.hash), files);
    assert.deepEqual(await store.policies.find('main', 1), head);
    assert.equal(await store.policies.find('main', 2), undefined);
    assert.equal(await store.policies.find('other', 1), undefined);
    assert.equal(await store.policies.files('other'), undefined);
  });

  test('who saw another version than the published one publishes nothing, and is told which one it is', async () => {
    await using store = await open();
    assert.equal(await published(store, newPolicy('a'), 0), 1);
    for (const seen of [0, 2, -1]) {
      const outcome = await publish(store, newPolicy('b'), seen);
      assert.ok(outcome.kind === 'changed');
      assert.equal(outcome.published?.version, newPolicy('a').version);
    }
    assert.deepEqual(await publish(store, newPolicy('b', { policy: 'other' }), 1), {
      kind: 'changed',
      published: undefined,
    });
    assert.equal((await store.policies.published()).length, 1);
    assert.equal(await published(store, newPolicy('b'), 1), 2);
    assert.deepEqual(
      (await store.policies.published()).map(({ version }) => version),
      [newPolicy('b').version],
    );
  });

  test('the same files have the same hash, and an earlier version comes back as a new one', async () => {
    await using store = await open();
    await published(store, newPolicy('a'), 0);
    await published(store, newPolicy('b'), 1);
    await published(store, newPolicy('a', { backTo: 1, publishedBy: 'grace', publishedMs: 2000 }), 2);
    const [first, third] = [await store.policies.find('main', 1), await store.policies.find('main', 3)];
    assert.equal(third?.hash, first?.hash);
    assert.equal(third?.backTo, 1);
    assert.equal(third?.publishedBy, 'grace');
    assert.notEqual((await store.policies.find('main', 2))?.hash, first?.hash);
  });

  test('names of files are part of the hash, and nothing of one file becomes part of another', async () => {
    await using store = await open();
    const hashes = new Set<string>();
    for (const files of [
      [{ name: 'a', text: 'bc' }],
      [{ name: 'ab', text: 'c' }],
      [
        { name: 'a', text: '' },
        { name: 'bc', text: '' },
      ],
    ]) {
      const outcome = await publish(store, newPolicy('x', { files }), hashes.size);
      assert.ok(outcome.kind === 'published');
      hashes.add(outcome.version.hash);
    }
    assert.equal(hashes.size, 3);
  });

  test('policies have numbers of their own, and a bound', async () => {
    await using store = await open();
    for (const policy of ['main', 'ceiling', 'web'])
      assert.equal(await published(store, newPolicy('a', { policy }), 0), 1);
    assert.deepEqual(await publish(store, newPolicy('a', { policy: 'more' }), 0), {
      kind: 'too_many_policies',
    });
    assert.equal(await published(store, newPolicy('b', { policy: 'web' }), 1), 2);
    assert.deepEqual(
      (await store.policies.published()).map(({ policy, number }) => `${policy} ${number}`),
      ['ceiling 1', 'main 1', 'web 2'],
    );
  });

  test('a policy without files is withdrawn, and stays known', async () => {
    await using store = await open();
    await published(store, newPolicy('a'), 0);
    await published(store, newPolicy('', { files: [] }), 1);
    const [head] = await store.policies.published();
    assert.equal(head?.isWithdrawn, true);
    assert.deepEqual(await store.policies.files(head?.hash ?? ''), []);
    assert.equal(await published(store, newPolicy('a'), 2), 3);
    assert.equal((await store.policies.published())[0]?.isWithdrawn, false);
  });

  test('the history has the newest first, of one policy or of all, and goes on behind a number', async () => {
    await using store = await open();
    await published(store, newPolicy('a'), 0);
    await published(store, newPolicy('b', { publishedMs: 3000 }), 1);
    await published(store, newPolicy('c', { policy: 'web', publishedMs: 2000 }), 0);
    const shown = async (query: Parameters<Store['policies']['history']>[0]): Promise<readonly string[]> =>
      (await store.policies.history(query)).map(({ policy, number }) => `${policy} ${number}`);
    assert.deepEqual(await shown({ limit: 10 }), ['main 2', 'web 1', 'main 1']);
    assert.deepEqual(await shown({ policy: 'main', limit: 10 }), ['main 2', 'main 1']);
    assert.deepEqual(await shown({ policy: 'main', before: 2, limit: 10 }), ['main 1']);
    assert.deepEqual(await shown({ limit: 1 }), ['main 2']);
  });

  test('beyond its bound the oldest version goes, with files that no other has, and what gateways said of it', async () => {
    await using store = await open();
    await published(store, newPolicy('old'), 0);
    const first = await store.policies.find('main', 1);
    await store.policies.note({ ...outcome, state: 'taken' }, { outcomesMax: 5 });
    for (const [seen, text] of ['a', 'b', 'a', 'c'].entries())
      await published(store, newPolicy(text), seen + 1);
    assert.equal(await store.policies.find('main', 1), undefined);
    assert.equal(await store.policies.files(first?.hash ?? ''), undefined);
    assert.deepEqual(await store.policies.outcomes('main', 1), []);
    const kept = await store.policies.find('main', 2);
    assert.ok(await store.policies.files(kept?.hash ?? ''));
    // One that is forgotten is noted nowhere.
    await store.policies.note({ ...outcome, state: 'taken' }, { outcomesMax: 5 });
    assert.deepEqual(await store.policies.outcomes('main', 1), []);
  });

  test('what gateways made of a version replaces what they said before, within a bound', async () => {
    await using store = await open();
    await published(store, newPolicy('a'), 0);
    const note = (changes: Partial<typeof outcome>): Promise<void> =>
      store.policies.note({ ...outcome, ...changes }, { outcomesMax: 2 });
    await note({});
    await note({ gatewayId: 'g2', atMs: 2000 });
    const taken = { ...outcome, state: 'taken', atMs: 3000 } as const;
    const { reason: _, ...ofNoReason } = taken;
    await store.policies.note(ofNoReason, { outcomesMax: 2 });
    assert.deepEqual(await store.policies.outcomes('main', 1), [
      ofNoReason,
      { ...outcome, gatewayId: 'g2', atMs: 2000 },
    ]);
    await note({ gatewayId: 'g3', atMs: 4000 });
    assert.deepEqual(
      (await store.policies.outcomes('main', 1)).map(({ gatewayId }) => gatewayId),
      ['g3', 'g1'],
    );
  });

  test('what a version of the audit stands for is kept, and that which was seen longest ago goes first', async () => {
    await using store = await open();
    const keep = (version: string, seenMs: number): Promise<void> =>
      store.policies.keep({ version, content: `{"of":"${version}"}`, seenMs }, { keptMax: 2 });
    await keep('a', 1000);
    await keep('b', 2000);
    await keep('a', 3000);
    await keep('a', 500);
    await keep('c', 4000);
    assert.deepEqual(await store.policies.kept('a'), { version: 'a', content: '{"of":"a"}', seenMs: 3000 });
    assert.equal(await store.policies.kept('b'), undefined);
    assert.ok(await store.policies.kept('c'));
  });
}

const outcome = {
  policy: 'main',
  number: 1,
  gatewayId: 'g1',
  state: 'refused' as 'refused' | 'taken',
  reason: 'no such credential',
  atMs: 1000,
};
