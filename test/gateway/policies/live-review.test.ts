import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LiveGrants } from '../../../src/gateway/policies/live-grants.ts';
import { LiveReview } from '../../../src/gateway/policies/live-review.ts';
import type { Policy } from '../../../src/policy/decision.ts';
import { access, nowMs, policyOf, principal } from '../../policy/fixture.ts';

/** A download that a rule admitted at `nowMs`, and a review whose clock the test moves. */
async function reviewed(rule: string, after: (scene: { at: (ms: number) => number }) => void): Promise<void> {
  const policy: Policy = policyOf(`rules: [{ name: a, hosts: a.example.com, ${rule} }]`);
  // Time stands still for it: nothing is put off to a later turn.
  const live = new LiveGrants(() => 0);
  let atMs = nowMs;
  const onFault = (error: Error): void => assert.fail(error);
  await using review = new LiveReview({ live, policy: () => policy, clock: () => atMs, onFault });
  const asked = access('GET https://a.example.com/');
  const decision = policy.decide(principal(), asked, nowMs);
  assert.equal(decision.effect, 'allow');
  live.add({ principal: principal(), access: asked, decision, end: () => undefined });
  const at = (ms: number): number => {
    atMs = nowMs + ms;
    review.look();
    return live.size;
  };
  after({ at });
}

test('what a rule admitted before it expired ends when it expires', async () => {
  await reviewed(`expires: '2030-01-01T00:10:00Z'`, ({ at }) => {
    assert.equal(at(599_999), 1);
    assert.equal(at(600_000), 0);
  });
});

test('what was admitted by a condition on the time ends when that is no longer true', async () => {
  await reviewed(`when: 'now < timestamp("2030-01-01T00:10:00Z")'`, ({ at }) => {
    assert.equal(at(599_999), 1);
    assert.equal(at(600_001), 0);
  });
});

test('where no rule speaks of time, time alone has nothing judged again', async () => {
  const policy = policyOf(`rules: [{ name: a, hosts: a.example.com, when: 'request.method == "GET"' }]`);
  assert.equal(policy.changesBetween(nowMs, nowMs + 1e12), false);
  const expiring = policyOf(`rules: [{ name: a, hosts: a.example.com, expires: '2030-01-02T00:00:00Z' }]`);
  const dayMs = 86_400_000;
  assert.deepEqual(
    [
      [0, 1],
      [1, 2],
      [0, 2],
    ].map(([from = 0, to = 0]) => expiring.changesBetween(nowMs + from * dayMs, nowMs + to * dayMs)),
    [true, false, true],
  );
});
