import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../../../src/store/open-store.ts';
import { usedEntry } from '../../conformance/uses.ts';
import { openAdminScene } from '../../gateway/admin/admin-fixture.ts';
import { mustRunShared, runShared } from '../../support/command-process.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const entries = [
  usedEntry('1', { rule: 'read', injected: ['token'] }),
  usedEntry(
    '2',
    { rule: 'access-grant:abc\u001b[2J', errorCode: 'upstream_timeout', traceId: 'f1' },
    { verdict: 'error' },
  ),
];

test('uses of rules, grants and credentials are listed from the store here', () =>
  withTemporaryDirectory(async (directory) => {
    const config = join(directory, 'gateway.yaml');
    await writeFile(config, 'stateDirectory: state\npolicy: store\n');
    {
      await using store = await openStore(`sqlite:${join(directory, 'state', 'state.db')}`);
      await store.audit.append(entries);
    }
    const { stdout, stderr } = await runShared(['policy', 'uses', '--config', config]);
    assert.match(stdout, /^read +- +1 +\d{4}-\S+Z +1 +0 +0 +-$/m, stderr);
    assert.match(stdout, /^grant abc\S* +- +1 +\S+ +0 +0 +1 +upstream_timeout at /m);
    assert.ok(!stdout.includes('\u001b[2J'));
    assert.match(stderr, /Counted since \d{4}-/);
    const lines = await mustRunShared([
      'policy',
      'uses',
      '--kind',
      'credential',
      '--json',
      '--config',
      config,
    ]);
    assert.equal((JSON.parse(lines) as { name: string }).name, 'token');
  }));

test('the same is asked of a gateway elsewhere', () =>
  withTemporaryDirectory(async (directory) => {
    await using scene = await openAdminScene(new Map(), { address: '127.0.0.1', port: 0, names: [] });
    await scene.store.audit.append(entries);
    const tokenFile = join(directory, 'token');
    await writeFile(tokenFile, await scene.token('viewer'), { mode: 0o600 });
    const at = ['--server', `http://127.0.0.1:${scene.port}`, '--token-file', tokenFile];
    assert.match(await mustRunShared(['policy', 'uses', ...at]), /^read +- +1 +/m);
  }));
