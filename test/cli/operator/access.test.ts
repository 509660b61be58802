import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { openStore } from '../../../src/store/open-store.ts';
import { newSession } from '../../conformance/new-session.ts';
import { accessRequest } from '../../conformance/store.ts';
import { mustRun } from '../../support/command.ts';
import { mustRunShared, runShared } from '../../support/command-process.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';

const bounds = {
  accessPendingPerSessionMax: 10,
  accessRequestsPerSessionMax: 10,
  accessPendingPerPrincipalMax: 10,
  accessRequestsPerPrincipalMax: 10,
  accessRequestsMax: 10,
};

let directory: TemporaryDirectory;
let configFile: string;
before(async () => {
  directory = await temporaryDirectory();
  configFile = join(directory.path, 'gateway.yaml');
  await writeFile(configFile, 'stateDirectory: state\naudit: { file: audit.jsonl }\n');
  await using store = await openStore(`sqlite:${join(directory.path, 'state', 'state.db')}`);
  const times = { enrolledMs: Date.now(), commitByMs: 1e14, endsMs: 1e14, createdMs: Date.now() };
  await store.sessions.enrol(newSession('a', times), { enrolmentsPerTokenMax: 10 });
  const { createdMs } = times;
  const reason = 'needed\u001b[2J \u{202e}now';
  await store.access.file(accessRequest('one', { createdMs, reason, pendingUntilMs: 1e14 }), bounds);
});
after(() => directory?.[Symbol.asyncDispose]());

const control = (...args: readonly string[]): Promise<string> =>
  mustRunShared([...args, '--config', configFile]);

test('without a running gateway requests are listed and decided, and the decision is in store and file', async () => {
  const table = await control('access', 'list');
  assert.match(
    table,
    /^one +pending +\S+ +GET https:\/\/example\.com\/one +- +- +issuer\|subject +needed\\u\{1b\}\[2J \\u\{202e\}now$/m,
  );
  const [line = '{}'] = (await control('access', 'list', '--json')).split('\n');
  assert.match(line, /^[\x20-\x7e]+$/);
  assert.equal((JSON.parse(line) as { id: string }).id, 'one');
  const full = await runShared(['access', 'list', '-n', '1', '--config', configFile]);
  assert.match(full.stderr, /no more than 1 are shown, the newest; see --number\n$/);
  assert.match(
    await control('access', 'grant', 'one', '--for', '10m', '--scope', 'path', '--principal'),
    /^granted one until .*: GET https:\/\/example\.com\/one, scope path, for the principal\nno gateway serves now[^\n]*\n$/,
  );
  assert.match(await control('access', 'list'), /^one +granted .* path, principal /m);
  assert.match(await control('access', 'revoke', 'one'), /^revoked one\nno gateway serves now[^\n]*\n$/);
  assert.match(await control('access', 'list'), /^id .*\n$/);
  assert.match(await control('access', 'list', '--all'), /^one +revoked /m);
  const events = (await control('audit', 'tail', '--json')).trim().split('\n');
  const file = (await mustRun('cat', [join(directory.path, 'audit.jsonl')])).trim().split('\n');
  assert.deepEqual(file, events);
  const parsed = events.map((text) => JSON.parse(text) as { action: string; details: { operator: string } });
  assert.deepEqual(
    parsed.map(({ action }) => action),
    ['access_granted', 'access_revoked'],
  );
  assert.match(parsed[0]?.details.operator ?? '', /uid \d+/);
});

test('a session is listed and revoked by its id without a running gateway', async () => {
  assert.match(await control('session', 'list'), /^a +issuer\|subject +enrolled .* 0 +\S+ +- +nondumpable,/m);
  assert.match(
    await control('session', 'revoke', 'a', '--reason', 'no longer needed'),
    /^revoked a\nno gateway serves now[^\n]*\n$/,
  );
  assert.match(await control('session', 'list'), /^id .*\n$/);
  const [row = '{}'] = (await control('session', 'list', '--all', '--json')).split('\n');
  const { state, reason, claims } = JSON.parse(row) as { state: string; reason: string; claims: unknown };
  assert.deepEqual([state, reason], ['revoked', 'no longer needed']);
  assert.deepEqual(claims, newSession('a').claims);
});

test('where requests are turned off nothing is granted', async () => {
  const off = join(directory.path, 'off.yaml');
  await writeFile(off, 'stateDirectory: state\naccess: { enabled: false }\n');
  const { code, stderr } = await runShared(['access', 'grant', 'one', '--for', '1m', '--config', off]);
  assert.notEqual(code, 0);
  assert.match(stderr, /access\.enabled is false/);
});
