// Grants that one gateway hands to another: they open no more there than where they were given.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AccessGrants } from '../../../src/gateway/access/access-grants.ts';
import { handedGrant, handedSchema } from '../../../src/gateway/peers/start-lines.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import type { RefChange } from '../../../src/policy/git-commands.ts';
import { parsePolicy } from '../../../src/policy/parse-policy.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { AccessRecord, AccessStore } from '../../../src/store/access-store.ts';

const open: AccessRecord = {
  id: 'g',
  sessionId: 's',
  principalId: 'p',
  scheme: 'https',
  host: 'git.test',
  port: 443,
  path: '/acme/app.git',
  reason: 'because',
  createdMs: 1,
  pendingUntilMs: 2,
  state: 'granted',
};
const terms = { scope: 'path', subject: 'session', endsMs: 5000 } as const;
const full: AccessRecord = { ...open, terms };
const limited: AccessRecord = {
  ...open,
  terms: { ...terms, scope: 'exact', refs: ['refs/heads/agent/**'] },
};

/** As they arrive. */
function arrived(grants: readonly object[]): readonly AccessRecord[] {
  const line = handedSchema.parse(JSON.parse(JSON.stringify({ grants })));
  assert.ok('grants' in line);
  return line.grants;
}

/** What is decided about a push of that repository under these grants. */
async function pushed(grants: readonly AccessRecord[], ref: string, change: RefChange): Promise<string> {
  const parsed = parsePolicy([{ file: 'policy.yaml', text: 'rules: []\n' }]);
  assert.ok('policy' in parsed);
  await using given = await AccessGrants.open({
    // What is asked of it, and no more.
    store: { expire: async () => [], inForce: async () => grants } as Partial<AccessStore> as AccessStore,
    base: () => parsed.policy,
    emulated: new Set(),
    limits: defaultLimits,
    clock: () => 1000,
    onEnded: async () => undefined,
    onFault: (error) => assert.fail(error),
  });
  const access = {
    depth: 'request',
    destination: { scheme: 'https', host: open.host, port: open.port },
    method: 'POST',
    path: '/acme/app.git/git-receive-pack',
    query: '',
    headers: new HeaderList(),
    pushed: [{ ref, change }],
    pushOptions: [],
  } as const;
  return given.policy().decide({ id: 'p', sessionId: 's', claims: {}, posture: [] }, access, 1000).effect;
}

test('a grant for refs that is handed over is for these refs alone', async () => {
  const grants = arrived([handedGrant(limited)]);
  assert.deepEqual(grants, [limited]);
  assert.equal(await pushed(grants, 'refs/heads/agent/one', 'create'), 'allow');
  assert.equal(await pushed(grants, 'refs/heads/main', 'update'), 'deny');
  assert.equal(await pushed(grants, 'refs/heads/main', 'delete'), 'deny');
  assert.equal(await pushed(arrived([limited]), 'refs/heads/main', 'delete'), 'deny');
  assert.equal(await pushed(arrived([handedGrant(full)]), 'refs/heads/main', 'delete'), 'allow');
});

test('a program that knows no refs finds no terms in a grant for refs', () => {
  assert.equal(handedGrant(limited).terms, undefined);
  assert.deepEqual(handedGrant(full), full);
});

test('a grant with terms that are not understood opens nothing, and the others are taken', async () => {
  for (const wrong of [
    { ...open, terms: { ...terms, hours: 'office' } },
    { ...open, terms: { ...terms, refs: 'refs/heads/main' } },
    { ...open, terms: { ...terms, refs: [7] } },
    { ...open, refsTerms: { ...limited.terms, hours: 'office' } },
    // What is meant to limit it counts, also where it cannot be read.
    { ...full, refsTerms: { ...limited.terms, hours: 'office' } },
    { ...full, refsTerms: null },
  ]) {
    const grants = arrived([wrong, full]);
    assert.deepEqual(grants, [open, full], JSON.stringify(wrong));
    assert.equal(await pushed(grants.slice(0, 1), 'refs/heads/main', 'delete'), 'deny');
  }
});
