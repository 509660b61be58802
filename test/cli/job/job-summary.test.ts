import assert from 'node:assert/strict';
import { test } from 'node:test';

import { jobSummary } from '../../../src/cli/job/job-summary.ts';
import { loudFacts, quietFacts } from './facts.ts';

test('the summary has a row for each place and each refusal, and says first what must not be missed', () => {
  const text = jobSummary(loudFacts);
  assert.match(text, /^## upstreamproxy: 6 requests, 7 refused\n/);
  assert.match(text, /\*\*The session was over before the job was\*\*: its process was killed\./);
  assert.match(text, /^\| <code>https&#58;\S+<\/code> \| A&#124;B&#44; GET \| 1 \| 3 \| 0 \|$/m);
  assert.match(text, /^And others, 2 times\.$/m);
  assert.match(text, /^### Refused: no rule allows it$/m);
  assert.match(
    text,
    /^\| <code>GET .*&#47;&#124;x<\/code> \| policy&#95;denied \| <code>default&#45;deny<\/code> \| 2 \|$/m,
  );
  assert.match(text, /^### Refused by a rule$/m);
  assert.match(text, /^And 4 more refusals/m);
  assert.match(text, /^- token&#95;reused&#58; &#60;b&#62; \(1 time\)$/m);
  // Four cells and their borders, whatever stands in them.
  for (const row of text.matchAll(/^\|.*<code>GET.*$/gm)) assert.equal(row[0].split('|').length, 6);
});

test('a proposal is a block of code, and one that is too long is left out', () => {
  const observed = { ...quietFacts, form: 'observe', policy: undefined } as const;
  assert.match(jobSummary({ ...observed, proposal: 'rules: []\n' }), /```yaml\nrules: \[\]\n```/);
  const long = jobSummary({ ...observed, proposal: '`'.repeat(60_000) });
  assert.ok(long.length < 1_000);
  assert.match(long, /policy learn/);
});

test('a summary stays far below what GitHub shows, whatever the job did', () => {
  const named = Array.from({ length: 1000 }, () => ({
    ...loudFacts.places!.named[0]!,
    name: '|'.repeat(500),
  }));
  const refused = Array.from({ length: 1000 }, () => ({
    ...loudFacts.refused[0]!,
    refusal: { ...loudFacts.refused[0]!.refusal, path: '/'.repeat(500), rule: '|'.repeat(500) },
  }));
  const would = refused.map(() => ({ request: '|'.repeat(500), rule: '|'.repeat(500), count: 1 }));
  const alarms = refused.map(() => ({ text: '|'.repeat(500), count: 1 }));
  const proposal = `${'a: |\n'.repeat(8_000)}`;
  const text = jobSummary({ ...loudFacts, places: { named, others: 1 }, refused, would, alarms, proposal });
  assert.ok(text.length < 512 * 1024, String(text.length));
});
