import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { mustRun, runCommand } from '../../support/command.ts';
import { launcher } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('a step of a rotation that the database takes back ends with an error, whichever command does it', async () => {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const configFile = join(path, 'gateway.yaml');
  await writeFile(join(path, 'identity-key'), randomBytes(32).toString('hex'), { mode: 0o600 });
  await writeFile(join(path, 'policy.yaml'), 'rules: []\n');
  await writeFile(
    configFile,
    'listen: { address: 127.0.0.1, port: 0 }\nstateDirectory: state\nstore: sqlite:state.db\npolicy: policy.yaml\nidentity: { store: true, keyEncryptionKey: { file: identity-key } }\n',
  );
  await mustRun(launcher, ['identity', 'make', '--config', configFile]);
  const database = new DatabaseSync(join(path, 'state.db'));
  stack.defer(() => database.close());
  database.exec(
    'CREATE TRIGGER back AFTER UPDATE ON identity BEGIN UPDATE identity SET version = OLD.version, sealed = OLD.sealed; END',
  );
  for (const step of [
    ['keys', 'next'],
    ['ca', 'next'],
    ['identity', 'rewrap'],
  ]) {
    const { code, stderr } = await runCommand(launcher, [...step, '--config', configFile]);
    assert.equal(code, 78, stderr);
    assert.match(
      stderr,
      /^upstreamproxy: version 2 was written to the store, and it has another version 1 now.*\[identity_unusable\]$/m,
    );
  }
  database.exec('DROP TRIGGER back');
  await mustRun(launcher, ['keys', 'next', '--config', configFile]);
  assert.equal(database.prepare('SELECT version FROM identity').get()?.['version'], 2);
});
