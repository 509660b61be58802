import assert from 'node:assert/strict';
import { test } from 'node:test';

import { jobAnnotations } from '../../../src/cli/job/job-annotations.ts';
import { loudFacts, quietFacts } from './facts.ts';

test('what no rule allows is an error, what a rule denies a warning, and both are shown at the policy', () => {
  assert.equal(jobAnnotations(quietFacts, 'policy.yaml'), '');
  const lines = jobAnnotations(loudFacts, 'policy.yaml').split('\n');
  assert.deepEqual(lines, [
    '::error title=upstreamproxy%3A the session was over before the job was,file=policy.yaml::its process was killed',
    '::error title=upstreamproxy%3A alarm,file=policy.yaml::token_reused: <b>',
    '::error title=upstreamproxy%3A refused,file=policy.yaml::GET https://a.example.com/|x: policy_denied, rule default-deny (2 times)',
    '::error title=upstreamproxy%3A refused,file=policy.yaml::More was refused, of which no more is known (4 times)',
    '::warning title=upstreamproxy%3A refused by a rule,file=policy.yaml::GET https://a.example.com/|x: policy_denied, rule no-uploads',
    '',
  ]);
});

test('of a level there are nine at most, and the ninth says how many more: the tenth is the step that fails', () => {
  const refused = Array.from({ length: 12 }, () => loudFacts.refused[0]!);
  const lines = jobAnnotations({ ...quietFacts, refused }, undefined)
    .trimEnd()
    .split('\n');
  assert.equal(lines.length, 9);
  assert.match(lines[8]!, /^::error title=upstreamproxy%3A more::4 more; /);
});
