import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { readAuditFile } from '../../../src/cli/operator/audit-file.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const line = (id: string): string =>
  `${JSON.stringify({ id, time: '2026-01-01T00:00:00.000Z', kind: 'exchange', traceId: 't', verdict: 'allow' })}\n`;

async function idsOf(text: string): Promise<string[]> {
  return await withTemporaryDirectory(async (directory) => {
    const path = join(directory, 'audit.jsonl');
    await writeFile(path, text);
    const events = await Array.fromAsync(readAuditFile(path));
    return events.map(({ id }) => id);
  });
}

test('the events come in the order of the file', async () => {
  assert.deepEqual(await idsOf(line('1') + line('2') + line('3')), ['1', '2', '3']);
  assert.deepEqual(await idsOf(''), []);
});

test('a last line that is still being written is left out', async () => {
  assert.deepEqual(await idsOf(line('1') + line('2').slice(0, 20)), ['1']);
});

test('a broken line with others behind it is told with its number', async () => {
  await assert.rejects(idsOf(`${line('1')}nonsense\n${line('3')}`), {
    code: 'config_invalid',
    message: /audit\.jsonl:2 is not an audit event/,
  });
});

test('a line ends at its end alone, whatever characters are in it, and wherever the file is read in pieces', async () => {
  const ids = Array.from({ length: 3_000 }, (_, index) => `\u2028\u2029é${index}😀`);
  assert.deepEqual(await idsOf(ids.map(line).join('')), ids);
  assert.deepEqual(await idsOf(`${line('1')}\r\n${line('2').trimEnd()}\r\n`), ['1', '2']);
});

test('a file that is not there is told by name', async () => {
  await assert.rejects(Array.fromAsync(readAuditFile('/nonexistent/audit.jsonl')), {
    code: 'config_invalid',
    message: /\/nonexistent\/audit\.jsonl/,
  });
});
