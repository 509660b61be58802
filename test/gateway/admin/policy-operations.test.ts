// Which rule would have a commit signed, asked by the admin API.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutputOf } from '../../../src/api/admin/routes.ts';
import { openAdminScene, readOnThreads } from './admin-fixture.ts';

const commit = (email: string): string =>
  Buffer.from(
    `tree ${'a'.repeat(40)}\nauthor A <${email}> 1700000000 +0000\ncommitter A <${email}> 1700000000 +0000\n\nfirst\n`,
  ).toString('base64');
const rules =
  "rules: [{ name: stranger, for: { team: red }, sign: { author: 'A <bot@example.com>', committer: '* <*>' }, deny: true }]";

test('a commit to sign is judged as the gateway judges it, for a session of it, and what is none is refused', async () => {
  await using scene = await openAdminScene();
  readOnThreads(scene);
  const token = await scene.token('viewer');
  const ask = async (bodyBase64: string, session: string) => {
    const { status, json, text } = await scene.call('POST', '/v1/policy/explain', {
      token,
      body: {
        method: 'POST',
        url: 'https://upstreamproxy.invalid/sign?namespace=git',
        bodyBase64,
        session,
        files: [{ name: 'p.yaml', text: rules }],
      },
    });
    // It is read where it is right.
    return { status, text, told: json as OutputOf<'explainPolicy'> };
  };
  const { told, text } = await ask(commit('bot@example.com'), 'red');
  assert.deepEqual([told.effect, told.rule], ['deny', 'stranger'], text);
  assert.match(told.request, /^a signature for a commit/);
  for (const [email, session] of [
    ['bot@example.com', 'blue'],
    ['person@example.com', 'red'],
  ] as const) {
    const other = await ask(commit(email), session);
    assert.deepEqual([other.status, other.told.effect], [200, 'deny'], other.text);
    assert.notEqual(other.told.rule, 'stranger');
  }
  const none = await ask(Buffer.from('a file').toString('base64'), 'red');
  assert.match(none.text, /object_unsignable/);
  const long = await ask(Buffer.alloc(300_000, 'x').toString('base64'), 'red');
  assert.match(long.text, /body_too_large/);
});
