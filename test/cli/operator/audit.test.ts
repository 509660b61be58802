import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { openStore } from '../../../src/store/open-store.ts';
import { auditEntry } from '../../conformance/audit.ts';
import { mustRunShared } from '../../support/command-process.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('what a workload called a ref cannot act on the terminal, and JSON means the same', async () => {
  await using directory = await temporaryDirectory();
  const configFile = join(directory.path, 'gateway.yaml');
  await writeFile(configFile, 'stateDirectory: state\n');
  const entry = auditEntry('1');
  const event = {
    ...(JSON.parse(entry.json) as object),
    git: { refs: [{ ref: 'refs/heads/\u{9b}2J\u{202e}', change: 'create' }] },
  };
  {
    await using store = await openStore(`sqlite:${join(directory.path, 'state', 'state.db')}`);
    await store.audit.append([{ ...entry, json: JSON.stringify(event) }]);
  }
  const line = await mustRunShared(['audit', 'tail', '--json', '--config', configFile]);
  assert.match(line, /^[\x20-\x7e]+\n$/);
  assert.deepEqual(JSON.parse(line), event);
});

test('by trace, host and age the last that fit are shown, with why under what was refused', async () => {
  await using directory = await temporaryDirectory();
  const configFile = join(directory.path, 'gateway.yaml');
  await writeFile(configFile, 'stateDirectory: state\n');
  const dayMs = 86_400_000;
  const at = (ageMs: number): string => new Date(Date.now() - ageMs).toISOString();
  const events = [
    { host: 'a.example.com', time: at(3 * dayMs), verdict: 'allow' },
    { host: 'a.example.com', time: at(3_600_000), verdict: 'allow' },
    {
      host: 'b.a.example.com',
      time: at(1_800_000),
      verdict: 'deny',
      errorCode: 'policy_denied',
      traceId: 'feedbeef'.padEnd(32, '0'),
      message: 'No rule allows it.',
      details: { operator: 'rule x came close\u001b[2J' },
    },
  ];
  {
    await using store = await openStore(`sqlite:${join(directory.path, 'state', 'state.db')}`);
    await store.audit.append(
      events.map((fields, i) => {
        const entry = auditEntry(String(i + 1));
        const timeMs = Date.parse(fields.time);
        return {
          ...entry,
          timeMs,
          json: JSON.stringify({ ...(JSON.parse(entry.json) as object), ...fields }),
        };
      }),
    );
  }
  const tail = async (...args: readonly string[]): Promise<readonly string[]> => {
    const text = await mustRunShared(['audit', 'tail', '--config', configFile, ...args]);
    return text.trimEnd().split('\n').slice(1);
  };
  assert.equal((await tail('--host', 'a.example.com')).length, 2);
  assert.equal((await tail('--host', 'a.example.com', '--since', '2d')).length, 1);
  assert.equal((await tail('--host', 'a.example.com', '-n', '1')).length, 1);
  const [row, cause, ...others] = await tail('--trace', 'feedbeef');
  assert.match(row ?? '', / deny .*b\.a\.example\.com/);
  assert.equal(cause, '    No rule allows it. | rule x came close\\u{1b}[2J');
  assert.deepEqual(others, []);
  assert.match((await tail('--host', '.A.example.com')).join('\n'), /b\.a\.example\.com/);
  assert.deepEqual(await tail('--trace', 'ffff'), []);
  const json = await mustRunShared([
    'audit',
    'tail',
    '--config',
    configFile,
    '--trace',
    'feedbeef',
    '--json',
  ]);
  const { message, details } = JSON.parse(json) as Record<string, unknown>;
  assert.deepEqual([message, details], ['No rule allows it.', events[2]?.details]);
});
