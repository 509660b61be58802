import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { reportText } from '../../../src/cli/operator/audit-verify.ts';
import { openSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { ChainReport } from '../../../src/store/chain/verify-chain.ts';
import { storeChained } from '../../conformance/chain.ts';
import { launcher } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('the command says what was found, and ends with 1 then; a public key will do', async () => {
  await using directory = await temporaryDirectory();
  const [configFile, state] = [join(directory.path, 'gateway.yaml'), join(directory.path, 'state')];
  await writeFile(configFile, 'stateDirectory: state\n');
  const key = await openSigningKey(state);
  {
    await using store = await openStore(`sqlite:${join(state, 'state.db')}`);
    await storeChained(store, 0, 3);
    await store.audit.chain.begin(key);
    await storeChained(store, 3, 20);
    await store.audit.chain.end();
  }
  const run = (...args: readonly string[]): ReturnType<typeof spawnSync> =>
    spawnSync(launcher, ['audit', 'verify', '--config', configFile, ...args], { encoding: 'utf8' });
  const sound = run();
  assert.deepEqual([sound.status, sound.stderr], [0, '']);
  assert.match(String(sound.stdout), /^23 events in 1 chains: nothing found\n3 are not chained: [^\n]*\n$/);
  const pem = await readFile(join(state, 'signing-key.pem'), 'utf8');
  const file = join(directory.path, 'public.pem');
  await writeFile(file, createPublicKey(pem).export({ type: 'spki', format: 'pem' }));
  const database = new DatabaseSync(join(state, 'state.db'));
  database.exec(`DELETE FROM audit WHERE id = 'c000010'`);
  database.close();
  const broken = run('--key', file, '--format', 'json');
  assert.deepEqual([broken.status, broken.stderr], [1, '']);
  const report = JSON.parse(String(broken.stdout)) as ChainReport;
  assert.deepEqual(
    report.findings.map(({ kind, link }) => [kind, link]),
    [['removed', 8]],
  );
  const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' });
  await writeFile(file, `${other}${await readFile(file, 'utf8')}`);
  assert.equal(run('--key', file, '--format', 'json').stdout, broken.stdout, 'one of several');
  const wrong = run('--key', configFile);
  assert.equal(wrong.status, 64);
});

test('what strangers wrote into an id cannot act on a terminal, and more findings than are listed are counted', () => {
  const text = reportText({
    events: 10,
    notChained: 0,
    removed: 7,
    chains: 2,
    uncovered: 1,
    findings: [{ kind: 'inserted', id: '\u001b[2J', message: 'An event.' }],
    findingsTotal: 3,
  });
  assert.equal(
    text,
    [
      String.raw`inserted: An event. id \u{1b}[2J`,
      'and 2 more',
      '10 events in 2 chains: 3 found',
      '7 more were removed by retention, which is signed',
      '1 are behind the last head of their chain: that more stood there would not be noticed',
      '',
    ].join('\n'),
  );
});
