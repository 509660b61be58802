import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { guideParts, guideScript } from '../../../scripts/packages/guide-script.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('files are written and commands run, in the order of the guide', async () => {
  await using folder = await temporaryDirectory();
  const file = join(folder.path, 'a/b.conf');
  const guide = [
    '```ini',
    `# ${file}`,
    '$HOME `id`',
    '```',
    '```yaml',
    'only: shown',
    '```',
    '```sh',
    `cat "${file}"`,
    '```',
    '',
  ].join('\n');
  const parts = guideParts(guide);
  assert.deepEqual(
    parts.map(({ kind }) => kind),
    ['file', 'commands'],
  );
  const script = guideScript(parts, (_, index) => `echo after ${index + 1}`);
  const { stdout, status } = spawnSync('sh', [], { input: script, encoding: 'utf8' });
  assert.equal(status, 0);
  assert.deepEqual(stdout.split('\n'), [
    `step 1: ${file}`,
    'after 1',
    `step 2: cat ${file}`,
    `# ${file}`,
    '$HOME `id`',
    'after 2',
    '',
  ]);
  assert.equal(readFileSync(file, 'utf8'), `# ${file}\n$HOME \`id\`\n`);
});

test('a command that fails ends it, and the step has been named', () => {
  const parts = guideParts('```sh\nfalse\n```\n\n```sh\necho too far\n```\n');
  const { stdout, status } = spawnSync('sh', [], { input: guideScript(parts, () => ''), encoding: 'utf8' });
  assert.equal(status, 1);
  assert.equal(stdout, 'step 1: false\n');
});
