import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { openStore } from '../../../src/store/open-store.ts';
import { auditEntry } from '../../conformance/store.ts';
import { mustRun } from '../../support/command.ts';
import { launcher } from '../../support/program.ts';
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
  const line = await mustRun(launcher, ['audit', 'tail', '--json', '--config', configFile]);
  assert.match(line, /^[\x20-\x7e]+\n$/);
  assert.deepEqual(JSON.parse(line), event);
});
