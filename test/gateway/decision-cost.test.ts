// A request that would cost too much to be judged: what its client and the audit are told.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { get, sendRaw } from './support/raw-http.ts';
import { openRequestPath } from './support/request-path.ts';

test(
  'a request that costs too much to be judged is refused, and says by which limit',
  { timeout: 20_000 },
  async () => {
    const all = Array.from({ length: 1000 }, (_, n) => n);
    const rules = all.map((n) => `  - { name: r${n}, hosts: allowed.test, paths: '/*.x${n}/q{z}?' }\n`);
    await using path = openRequestPath({
      policy: `mode: observe\nrules:\n${rules.join('')}`,
      hosts: ['allowed.test'],
      trust: [],
    });
    const hostile = `/${'q'.repeat(42_000)}${all.map((n) => `.x${n}/`).join('')}b/y`;
    const response = await sendRaw(await path.tls('allowed.test:443'), get('allowed.test', hostile));
    assert.deepEqual([response.status, response.headers.get('x-deny-reason')], [431, 'head_too_large']);
    assert.match(
      response.body,
      /too long to be compared with the rules for allowed\.test \(decisionStepsMax\)/,
    );
    assert.doesNotMatch(response.body, /upstreamproxy\.invalid/);
    const [event] = await path.events(1);
    assert.deepEqual(
      [event?.verdict, event?.rule, event?.errorCode, event?.limit, event?.address],
      ['deny', 'work-limit', 'head_too_large', 'decisionStepsMax', undefined],
    );
    assert.match(event?.message ?? '', /^Too much work for one decision: GET https:\/\/allowed\.test\/q+… /);
  },
);
