// Rules against names and paths that look like theirs, and policies that must not be taken.

import assert from 'node:assert/strict';

import { parsePolicy } from '../../../src/policy/parse-policy.ts';
import { responded, get, nothingDialled, type AttackTable } from '../support/attack.ts';
import type { Arena } from '../support/arena.ts';

async function deniedNames(a: Arena, names: readonly string[]): Promise<void> {
  for (const name of names) responded(await a.send(a.at(name), get(a.at(name), '/')), 403);
  nothingDialled(a);
}

function problemsOf(text: string): readonly string[] {
  const result = parsePolicy([{ file: 'policy.yaml', text }], { credentials: [] });
  return 'problems' in result ? result.problems.map(({ message }) => message) : [];
}

const rule = (hosts: string, more = ''): string => `rules:\n  - { name: one, hosts: '${hosts}'${more} }\n`;

export const matching: AttackTable = {
  'MATCH-01': (a) =>
    deniedNames(a, [
      'evilallowed.test',
      'evil-allowed.test',
      'allowed.test.evil.test',
      'allowed.test-evil.test',
    ]),
  'MATCH-02': async (a) => {
    for (const hosts of ['www*.test', 'api.*.test', '**', '*allowed.test', '*.*.allowed.test'])
      assert.notDeepEqual(problemsOf(rule(hosts)), [], hosts);
    assert.deepEqual(problemsOf(rule('*.allowed.test')), []);
    a.names.set('x.y.wild.test', { ttl: 60, addresses: ['127.0.0.10'] });
    responded(await a.send(a.at('x.y.wild.test'), get(a.at('x.y.wild.test'), '/many-labels')), 200);
  },
  'MATCH-03': (a) => deniedNames(a, ['apixallowed.test', 'allowedxtest.test']),
  'MATCH-04': async (a) => {
    await deniedNames(a, ['wild.test']);
    const dead = `rules:\n  - { name: all, hosts: '*.allowed.test' }\n  - { name: dead, hosts: a.allowed.test }\n`;
    assert.match(problemsOf(dead).join('\n'), /dead|never/);
  },
  'MATCH-05': async () => {
    for (const hosts of ['*', '*.com', '*.co.uk', '*.github.io'])
      assert.notDeepEqual(problemsOf(rule(hosts)), [], hosts);
    assert.notDeepEqual(problemsOf(rule('a.example.com', ', addresses: 0.0.0.0/0')), []);
  },
  'MATCH-06': async (a) => {
    for (const path of ['/public-leak', '/publicity/x', '/Public/x', '/'])
      responded(await a.send(a.at('paths.test'), get(a.at('paths.test'), path)), 403);
    nothingDialled(a);
    responded(await a.send(a.at('paths.test'), get(a.at('paths.test'), '/public/ok')), 200);
  },
  'MATCH-07': {
    withoutAudit: true,
    run: async (a) => {
      for (const text of ['rules: [', 'rules:\n  - hosts: [', '- 1', 'rule: []\n', '\u0000'])
        assert.notDeepEqual(problemsOf(text), [], text);
      // A policy without rules denies everything.
      const empty = parsePolicy([{ file: 'policy.yaml', text: '' }], { credentials: [] });
      if (!('problems' in empty)) {
        const destination = { scheme: 'https', host: 'allowed.test', port: 443 } as const;
        const principal = { id: 'i', sessionId: 's', claims: {}, posture: [] };
        assert.equal(empty.policy.decide(principal, { depth: 'connect', destination }, 0).effect, 'deny');
      }
      // Nothing can be audited, so nothing is served.
      Object.assign(a.parts.audit, { healthy: false });
      const at = a.at('allowed.test');
      responded(await a.send(at, get(at, '/')), 503);
      nothingDialled(a);
      Object.assign(a.parts.audit, { healthy: true });
    },
  },
};
