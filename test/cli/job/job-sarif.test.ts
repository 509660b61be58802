import assert from 'node:assert/strict';
import { test } from 'node:test';

import { jobSarif } from '../../../src/cli/job/job-sarif.ts';
import { loudFacts, quietFacts } from './facts.ts';

interface Log {
  readonly version: string;
  readonly runs: readonly {
    readonly tool: { readonly driver: { readonly rules: readonly { readonly id: string }[] } };
    readonly results: readonly {
      readonly ruleId: string;
      readonly ruleIndex: number;
      readonly level: string;
      readonly message: { readonly text: string };
      readonly occurrenceCount: number;
      readonly partialFingerprints: Readonly<Record<string, string>>;
      readonly locations?: readonly unknown[];
    }[];
  }[];
}

// Against the published schema: npm run test:action.
test('each finding has its rule, its level, its place, and a fingerprint that the next run has too', () => {
  const log = JSON.parse(jobSarif(loudFacts, 'a b/policy.yaml')) as Log;
  const [run] = log.runs;
  assert.equal(log.version, '2.1.0');
  const results = run?.results ?? [];
  assert.deepEqual(
    results.map(({ ruleId, level, occurrenceCount }) => [ruleId, level, occurrenceCount]),
    [
      ['session-ended', 'error', 1],
      ['alarm', 'error', 1],
      ['refused', 'error', 2],
      ['refused-by-rule', 'warning', 1],
      ['refused', 'error', 4],
    ],
  );
  for (const { ruleId, ruleIndex } of results) assert.equal(run?.tool.driver.rules[ruleIndex]?.id, ruleId);
  assert.deepEqual(results[0]?.locations, [
    {
      physicalLocation: {
        artifactLocation: { uri: 'a%20b/policy.yaml', uriBaseId: '%SRCROOT%' },
        region: { startLine: 1 },
      },
    },
  ]);
  const more = loudFacts.refused.map(({ refusal, isMeant }) => ({ refusal, isMeant, count: 9 }));
  const again = JSON.parse(jobSarif({ ...loudFacts, refused: more }, undefined)) as Log;
  assert.deepEqual(
    again.runs[0]?.results.map(({ partialFingerprints }) => partialFingerprints),
    results.map(({ partialFingerprints }) => partialFingerprints),
  );
  assert.equal(
    new Set(results.map(({ partialFingerprints }) => partialFingerprints['upstreamproxy/v1'])).size,
    5,
  );
  assert.deepEqual((JSON.parse(jobSarif(quietFacts, undefined)) as Log).runs[0]?.results, []);
});
