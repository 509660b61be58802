// The end of a run, from an audit that may be long, torn or not there.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { runSummary } from '../../../src/cli/run/run-summary.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { exchange, refused } from '../policy-events.ts';

/** Of a clock that has parts of milliseconds. */
const longMs = 60_000.5;
const noMkfifo = spawnSync('mkfifo', ['--version']).status !== 0 && 'there is no mkfifo(1)';

async function withAudit(
  events: readonly AuditEvent[],
  use: (auditFile: string) => Promise<void>,
): Promise<void> {
  await withTemporaryDirectory(async (directory) => {
    const auditFile = join(directory, 'audit.jsonl');
    writeFileSync(auditFile, events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    await use(auditFile);
  });
}

test('what was refused is told, and what was contacted where nothing was asked for', async () => {
  await withAudit([exchange({}), refused({ host: 'b.example.com' })], async (auditFile) => {
    const [observed, ruled] = await Promise.all([
      runSummary({ auditFile, policy: 'observe' }, longMs),
      runSummary({ auditFile, policy: 'files' }, longMs),
    ]);
    const refusals =
      /^upstreamproxy: refused in this run [^\n]*:\n {2}GET https:\/\/b\.example\.com\/: [^\n]*\n/;
    assert.match(ruled, new RegExp(`${refusals.source}$`));
    assert.match(observed, refusals);
    assert.match(observed, /It contacted:\n {2}https:\/\/a\.example\.com +GET +1 allowed\n/);
    assert.match(observed, /policy learn \/.*audit\.jsonl > policy\.yaml\n$/);
  });
});

test('a torn line in the middle, or no audit, is one line at the end, behind what was read before', async () => {
  await withAudit([refused({ host: 'b.example.com' })], async (auditFile) => {
    // The last line alone may be one that is being written.
    appendFileSync(auditFile, '{"id":');
    assert.doesNotMatch(await runSummary({ auditFile, policy: 'files' }, longMs), /not read/);
    appendFileSync(auditFile, `\n${JSON.stringify(refused({ host: 'c.example.com' }))}\n`);
    const text = await runSummary({ auditFile, policy: 'files' }, longMs);
    assert.match(text, /b\.example\.com[^]*first event of the audit[^\n]*:2 is not an audit event[^\n]*\n$/);
    assert.doesNotMatch(text, /c\.example\.com/);
    const none = await runSummary({ auditFile: `${auditFile}-none`, policy: 'observe' }, longMs);
    assert.match(
      none,
      /^upstreamproxy: what was refused in this run is not known here: cannot read the audit [^\n]*\n$/,
    );
  });
});

test('what does not fit into the time is left out, and said', async () => {
  const events = Array.from({ length: 20_000 }, () => refused({}));
  await withAudit(events, async (auditFile) => {
    const text = await runSummary({ auditFile, policy: 'observe' }, 0);
    assert.match(text, /there was no time[^\n]*\n$/);
    const count = /\((\d+) times\)/.exec(text)?.[1] ?? 0;
    assert.ok(Number(count) < events.length, text);
  });
});

test('a workload that makes up hosts, paths and methods fills no memory: the rest is counted', async () => {
  const { summaryRowsMax } = defaultLimits;
  const events = Array.from({ length: summaryRowsMax + 30 }, (_, i) =>
    refused({ host: `h${i}.example.com`, method: `M${i}` }),
  );
  await withAudit(events, async (auditFile) => {
    const text = await runSummary({ auditFile, policy: 'observe' }, longMs);
    assert.match(
      text,
      new RegExp(`^  and ${summaryRowsMax - 20} more, and what else was refused 30 times$`, 'm'),
    );
    assert.match(text, new RegExp(`^  and ${summaryRowsMax - 20} more, and others 30 times$`, 'm'));
  });
  const same = Array.from({ length: 100 }, (_, i) => exchange({ method: `M${i}` }));
  await withAudit(same, async (auditFile) => {
    const text = await runSummary({ auditFile, policy: 'observe' }, longMs);
    assert.equal(text.match(/\bM\d+\b/g)?.length, 20);
    assert.match(text, /100 allowed/);
  });
});

test('what is no file is not waited for', { skip: noMkfifo }, async () => {
  await withTemporaryDirectory(async (directory) => {
    const auditFile = join(directory, 'audit.jsonl');
    spawnSync('mkfifo', [auditFile]);
    const text = await runSummary({ auditFile, policy: 'files' }, longMs);
    assert.match(text, /not known here: cannot read the audit [^\n]*: it is not a regular file\n$/);
  });
});

test('a line without an end fills no memory', async () => {
  await withAudit([refused({ host: 'b.example.com' })], async (auditFile) => {
    const before = statSync(auditFile).size;
    // A hole of more octets than a string can have.
    truncateSync(auditFile, before + 2 ** 30);
    const text = await runSummary({ auditFile, policy: 'files' }, longMs);
    assert.match(text, /b\.example\.com[^]*audit\.jsonl:2 is not an audit event[^\n]*\n$/);
  });
});
