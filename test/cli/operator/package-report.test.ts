// `packages report`, from the store and by the admin API: the same, as text, JSON and CycloneDX.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../../../src/store/open-store.ts';
import { openAdminScene } from '../../gateway/admin/admin-fixture.ts';
import { type CommandOutcome, runShared } from '../../support/command-process.ts';
import { billEvents } from '../../support/package-events.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const entries = billEvents.map((one) => ({
  id: one.id,
  verdict: one.verdict,
  kind: one.kind,
  timeMs: Date.parse(one.time),
  json: JSON.stringify(one),
  sessionId: 's',
}));

test('the report of a session is the same from the store and by the admin API', async () => {
  await using folder = await temporaryDirectory();
  const config = join(folder.path, 'gateway.yaml');
  await writeFile(config, 'stateDirectory: state\n');
  {
    await using store = await openStore(`sqlite:${join(folder.path, 'state', 'state.db')}`);
    await store.audit.append(entries);
  }
  await using scene = await openAdminScene(new Map(), { address: '127.0.0.1', port: 0, names: [] });
  await scene.append(billEvents);
  const token = join(folder.path, 'token');
  await writeFile(token, await scene.token('viewer'));
  const here = ['--config', config];
  const there = ['--server', `http://127.0.0.1:${scene.port}`, '--token-file', token];
  const report = (session: string, ...args: readonly string[]): Promise<CommandOutcome> =>
    runShared(['packages', 'report', session, ...args]);
  const [text, json, bill, ...others] = await Promise.all([
    report('s', ...here),
    report('s', ...here, '--json'),
    report('s', ...here, '--format', 'cyclonedx'),
    report('s', ...there),
    report('s', ...there, '--json'),
    report('s', ...there, '--format', 'cyclonedx'),
  ]);
  assert.match(
    text.stdout,
    /^npm +@acme\/app@1\.0\.0 +31d +2030-01-01T00:00:02 +npm +- +sha512-YWFh/m,
    text.stderr,
  );
  assert.match(text.stdout, /^npm +lodash@4\.17\.21 +- .* npm +yes /m);
  assert.match(text.stdout, /^Hidden from it:\n.*\nnpm +lodash +3 +5\.0\.[01], 5\.0\.[01]$/m);
  assert.match(text.stdout, /^Refused:\n.*\nnpm +lodash@5\.0\.1 +3 +The rule npm waits\.$/m);
  const { packages } = JSON.parse(json.stdout) as { readonly packages: readonly { readonly name: string }[] };
  assert.deepEqual(
    packages.map(({ name }) => name),
    ['@acme/app', 'lodash'],
  );
  const { components } = JSON.parse(bill.stdout) as {
    readonly components: readonly { readonly purl: string }[];
  };
  assert.deepEqual(
    components.map(({ purl }) => purl),
    ['pkg:npm/%40acme/app@1.0.0', 'pkg:npm/lodash@4.17.21'],
  );
  const withoutTime = ({ stdout }: CommandOutcome): string => stdout.replace(/"timestamp":"[^"]*"/, '');
  assert.deepEqual(others.map(withoutTime), [text, json, bill].map(withoutTime));
  assert.equal((await report('other', ...here)).code, 77);
  assert.equal((await report('s', ...here, '--json', '--format', 'cyclonedx')).code, 64);
});
