import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import {
  jobFolderEntries,
  makeJobFolder,
  readJobEnd,
  readJobRecord,
  writeJobEnd,
  writeJobRecord,
  type JobRecord,
} from '../../../src/cli/job/job-folder.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { mustRun, runCommand } from '../../support/command.ts';
import { launcher } from '../../support/program.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const record: JobRecord = {
  mark: '00000000-1-1',
  gatewayUrl: 'https://gateway.example.com',
  auditFile: undefined,
  policies: ['/policy.yaml'],
  config: undefined,
  form: 'gateway',
  givenBack: { HTTPS_PROXY: '' },
};

test('what is left for the end of a job comes back as it was', async () => {
  await withTemporaryDirectory(async (directory) => {
    await writeJobRecord(directory, record);
    assert.deepEqual(await readJobRecord(directory), record);
    const told = {
      refusals: [{ kind: 'stream', code: 'policy_denied', count: 1 }],
      others: 0,
      isWhole: true,
    } as const;
    await writeJobEnd(directory, { early: 'x', told });
    assert.deepEqual(await readJobEnd(directory), { early: 'x', told });
  });
});

test('what a command of the job puts in its place is taken for nothing', async () => {
  await withTemporaryDirectory(async (directory) => {
    const place = join(directory, 'session.json');
    assert.equal(await readJobRecord(directory), undefined);
    for (const text of ['', '[]', '{', '{"mark":1}', JSON.stringify({ ...record, policies: [1] })]) {
      await writeFile(place, text);
      assert.equal(await readJobRecord(directory), undefined, text);
    }
    await writeFile(place, JSON.stringify({ ...record, givenBack: { 'A B': 'x', C: 1, D: 'y' } }));
    assert.deepEqual((await readJobRecord(directory))?.givenBack, { D: 'y' });
    await writeFile(place, `${JSON.stringify(record)}${' '.repeat(defaultLimits.jobFileBytesMax)}`);
    assert.equal(await readJobRecord(directory), undefined);
    await writeFile(join(directory, 'end.json'), JSON.stringify({ told: { refusals: [{ count: 'x' }] } }));
    assert.deepEqual(await readJobEnd(directory), { early: undefined, told: undefined });
    const linked = join(directory, 'linked');
    await mkdir(linked);
    await writeFile(place, JSON.stringify(record));
    await symlink(place, join(linked, 'session.json'));
    assert.equal(await readJobRecord(linked), undefined);
    await mustRun('mkfifo', [join(linked, 'end.json')]);
    assert.equal(await readJobEnd(linked), undefined);
  });
});

test('a folder of somebody else is neither taken for a job nor removed', async () => {
  await withTemporaryDirectory(async (directory) => {
    const own = join(directory, 'own');
    await makeJobFolder(own);
    await assert.rejects(makeJobFolder(own), /it is there already/);
    assert.deepEqual(await jobFolderEntries(join(directory, 'none')), undefined);
    await writeFile(join(own, 'keep'), 'x');
    await assert.rejects(jobFolderEntries(own), /is not the folder of a job: it has keep/);
    const { code, stderr } = await runCommand(launcher, ['job', 'end', '--state', own]);
    assert.equal(code, 64, stderr);
    assert.equal(await readFile(join(own, 'keep'), 'utf8'), 'x');
    const none = await runCommand(launcher, ['job', 'end', '--state', join(directory, 'none')]);
    assert.deepEqual([none.code, none.stderr.includes('there is no job in')], [64, true]);
  });
});
