import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { collectJobFacts, needsLook } from '../../../src/cli/job/job-facts.ts';
import type { JobRecord } from '../../../src/cli/job/job-folder.ts';
import { jobSummary } from '../../../src/cli/job/job-summary.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { loudFacts, quietFacts } from './facts.ts';

const record: JobRecord = {
  mark: '',
  gatewayUrl: undefined,
  auditFile: undefined,
  policies: [],
  config: undefined,
  form: 'files',
  givenBack: {},
};

const event = {
  v: 1,
  id: '1',
  time: '2026-01-01T10:20:30.456Z',
  kind: 'exchange',
  traceId: 't',
  verdict: 'deny',
  errorCode: 'policy_denied',
  rule: 'default-deny',
  scheme: 'https',
  host: 'a.example.com',
  port: 443,
  method: 'GET',
  path: '/',
};

test('of an audit it counts refusals by what they are, those that a rule means behind the others, and alarms', async () => {
  await withTemporaryDirectory(async (directory) => {
    const auditFile = join(directory, 'audit.jsonl');
    const events = [
      event,
      { ...event, rule: 'no-uploads' },
      { ...event, rule: 'no-uploads' },
      { ...event, count: 5 },
      { ...event, kind: 'alarm', action: 'token_reused', verdict: 'deny' },
      { ...event, verdict: 'allow', rule: 'api' },
    ];
    await writeFile(auditFile, events.map((one) => `${JSON.stringify(one)}\n`).join(''));
    const facts = await collectJobFacts({
      record: { ...record, auditFile },
      end: undefined,
      early: undefined,
    });
    assert.deepEqual(
      facts.refused.map(({ refusal, isMeant, count }) => [refusal.rule, isMeant, count]),
      [
        ['default-deny', false, 6],
        ['no-uploads', true, 2],
      ],
    );
    assert.deepEqual(facts.alarms, [{ text: 'token_reused', count: 1 }]);
    assert.equal(facts.places?.named[0]?.allowed, 1);
    assert.equal(facts.unread, undefined);
  });
});

test('an audit that cannot be read, and a gateway that told nothing, are said, and need a look', async () => {
  await withTemporaryDirectory(async (directory) => {
    const auditFile = join(directory, 'audit.jsonl');
    await writeFile(auditFile, 'no event\nno event\n');
    const broken = await collectJobFacts({
      record: { ...record, auditFile },
      end: undefined,
      early: undefined,
    });
    assert.match(broken.unread ?? '', /is not an audit event/);
    const gatewayUrl = 'https://gateway.example.com';
    const away = { record: { ...record, gatewayUrl, form: 'gateway' }, early: undefined } as const;
    const silent = await collectJobFacts({ ...away, end: undefined });
    assert.match(silent.unread ?? '', /did not tell/);
    const told = {
      refusals: [{ kind: 'stream', host: 'a.test', code: 'policy_denied', count: 2 }],
      others: 3,
      isWhole: true,
    } as const;
    const facts = await collectJobFacts({ ...away, end: { early: undefined, told } });
    assert.deepEqual(
      [facts.refused[0]?.count, facts.refusedElse, facts.unread, facts.places],
      [2, 3, undefined, undefined],
    );
    for (const one of [broken, silent, facts]) assert.ok(needsLook(one));
  });
});

test('that the tunnel broke is told where another gateway decided', async () => {
  const away = {
    record: { ...record, gatewayUrl: 'https://g.test', form: 'gateway' },
    early: undefined,
  } as const;
  for (const isWhole of [true, false]) {
    const told = { refusals: [], others: 0, isWhole };
    const facts = await collectJobFacts({ ...away, end: { early: undefined, told } });
    assert.deepEqual([facts.tunnelBroke, facts.unread], [!isWhole, undefined]);
    assert.equal(/The tunnel broke once/.test(jobSummary(facts)), !isWhole);
  }
});

test('what a rule denies needs no look, nor what is not public where the job was observed; all else does', () => {
  const [unmeant, meant] = loudFacts.refused;
  assert.equal(needsLook(quietFacts), false);
  assert.equal(needsLook({ ...quietFacts, refused: [meant!] }), false);
  assert.equal(needsLook({ ...quietFacts, form: 'observe', refused: [unmeant!], refusedElse: 1 }), false);
  for (const more of [
    { refused: [unmeant!] },
    { refusedElse: 1 },
    { alarms: loudFacts.alarms },
    { early: 'x' },
    { unread: 'x' },
    { form: 'observe', alarms: loudFacts.alarms },
  ] as const)
    assert.equal(needsLook({ ...quietFacts, ...more }), true, JSON.stringify(more));
});
