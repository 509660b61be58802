import assert from 'node:assert/strict';
import { test } from 'node:test';

import { confirmDecision, givesTheSame } from '../../../src/gateway/exchange/confirm-decision.ts';
import type { AllowDecision, Policy } from '../../../src/policy/decision.ts';
import { access, nowMs, policyOf, principal } from '../../policy/fixture.ts';

/** A policy that counts what is asked of it. */
function counted(text: string): Policy & { readonly asked: () => number } {
  const policy = policyOf(text);
  let asked = 0;
  return {
    version: policy.version,
    asked: () => asked,
    decide: (...args) => {
      asked++;
      return policy.decide(...args);
    },
    capturePorts: (who) => policy.capturePorts(who),
    rulesFor: (...args) => policy.rulesFor(...args),
    blindHosts: (who) => policy.blindHosts(who),
    sshHosts: (who) => policy.sshHosts(who),
    injected: (who) => policy.injected(who),
    revokesTokens: policy.revokesTokens,
    signing: (who) => policy.signing(who),
    changesBetween: (...args) => policy.changesBetween(...args),
  };
}

const request = access('GET https://a.example.com/');

function decidedBy(policy: Policy): AllowDecision {
  const decision = policy.decide(principal(), request, nowMs);
  assert.equal(decision.effect, 'allow');
  return decision;
}

const plain = 'rules: [{ name: a, hosts: a.example.com }]';
const expiring = `rules: [{ name: a, hosts: a.example.com, expires: '2030-01-01T00:01:00Z' }]`;

test('a decision is made once while its policy is in force and no time comes at which it changes', () => {
  for (const [text, laterMs] of [
    [plain, 3_600_000],
    [expiring, 59_999],
  ] as const) {
    const policy = counted(text);
    const decided = { access: request, decision: decidedBy(policy), basis: { policy, atMs: nowMs } };
    confirmDecision(decided, principal(), { policy: () => policy, clock: () => nowMs + laterMs });
    assert.equal(policy.asked(), 1);
  }
});

test('another policy, a rule that expired and a clock that went back have it made again', () => {
  const policy = counted(expiring);
  const decided = { access: request, decision: decidedBy(policy), basis: { policy, atMs: nowMs } };
  const confirm = (current: Policy, atMs: number): void => {
    confirmDecision(decided, principal(), { policy: () => current, clock: () => atMs });
  };
  assert.throws(() => {
    confirm(policy, nowMs + 60_000);
  }, /No rule allows/);
  assert.throws(() => {
    confirm(policyOf('rules: [{ name: b, hosts: b.example.com }]'), nowMs);
  }, /a\.example\.com/);
  assert.throws(() => {
    confirm(policyOf('rules: [{ name: other, hosts: a.example.com }]'), nowMs);
  }, /policy changed/);
  const late = { ...decided, basis: { policy, atMs: nowMs + 120_000 } };
  const askedBefore = policy.asked();
  confirmDecision(late, principal(), { policy: () => policy, clock: () => nowMs });
  assert.equal(policy.asked(), askedBefore + 1);
});

test('a write with a secret of the home does not go once its rule lets such secrets read alone', () => {
  const writes = 'rules: [{ name: a, hosts: a.example.com, homeCredentials: write }]';
  const policy = counted(writes);
  const decided = { access: request, decision: decidedBy(policy), basis: { policy, atMs: nowMs } };
  const confirm = (text: string): void => {
    confirmDecision(decided, principal(), { policy: () => policyOf(text), clock: () => nowMs });
  };
  confirm(writes);
  assert.throws(() => confirm(plain), /policy changed/);
});

test('a policy that looks at what was not read of the request does not confirm it', () => {
  const policy = policyOf(plain);
  const decided = { access: request, decision: decidedBy(policy), basis: { policy, atMs: nowMs } };
  const other = policyOf(`rules:
  - { name: a, hosts: a.example.com }
  - { name: b, hosts: a.example.com, deny: true, mcp: { tools: x } }`);
  assert.throws(() => {
    confirmDecision(decided, principal(), { policy: () => other, clock: () => nowMs });
  }, /the policy changed while this waited/);
});

test('what is decided of a changed request is the same by its rule, its policy, what it gives and what is counted', () => {
  const decision: AllowDecision = { ...decidedBy(policyOf(plain)), rule: { name: 'a', policy: 'main' } };
  const counted = { sessionId: 's', rule: { name: 'read' }, limits: { requestsPerSession: 1 } };
  assert.equal(givesTheSame({ ...decision, rule: { ...decision.rule, place: 'b:1' } }, decision), true);
  const others: readonly Partial<AllowDecision>[] = [
    { rule: { name: 'b', policy: 'main' } },
    { rule: { name: 'a', policy: 'other' } },
    { awaits: 'body' },
    { leaks: { on: 'alert', find: ['shape'], allow: [] } },
    { limits: { bodyBytes: 1 } },
    { budget: 'search' },
    { narrowed: [counted] },
  ];
  for (const other of others)
    assert.equal(givesTheSame({ ...decision, ...other }, decision), false, JSON.stringify(other));
  const [below, beside] = [
    { ...decision, narrowed: [counted] },
    { ...decision, narrowed: [{ ...counted, limits: { requestsPerSession: 2 } }] },
  ];
  assert.equal(givesTheSame(below, { ...decision, narrowed: [{ ...counted }] }), true);
  assert.equal(givesTheSame(below, beside), false);
});
