// `packages forget`, in the store and by the admin API: what it would forget, that it forgets that, and its event.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { openAdminScene } from '../../gateway/admin/admin-fixture.ts';
import { type CommandOutcome, runShared } from '../../support/command-process.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const source = '["go","https","proxy.test",443,"/go"]';
const sourceOfKey = '["go","https","proxy.test",443,"/go","key"]';
const bounds = {
  nowMs: 0,
  max: 1e6,
  promisedMax: 1e6,
  unusedMs: 1e12,
  owner: { principalId: 'p', sessionId: 's' },
  ownerDayMax: 1e6,
};
const mod = 'example.com/Mod';

async function fill({ firstSeen }: Store): Promise<void> {
  const two = [{ item: 'v1.0.0' }, { item: 'v1.1.0' }];
  await firstSeen.see({ source, name: mod }, two, bounds);
  await firstSeen.see({ source: sourceOfKey, name: mod }, [{ item: 'v1.0.0', digest: 'sha256-x' }], bounds);
  const many = Array.from({ length: defaultLimits.packagesForgottenMax + 5 }, (_, i) => ({
    item: `v2.0.${String(i)}`,
  }));
  await firstSeen.see({ source, name: 'example.com/many' }, many, bounds);
}

async function known({ firstSeen }: Store): Promise<number> {
  return (await firstSeen.list({ sources: '["go",' }, 1)).count;
}

test('what packages forget shows without forgetting is what it forgets, in the store and by the admin API', async () => {
  await using folder = await temporaryDirectory();
  const config = join(folder.path, 'gateway.yaml');
  await writeFile(config, 'stateDirectory: state\n');
  const address = `sqlite:${join(folder.path, 'state', 'state.db')}`;
  const inStore = async <T>(use: (store: Store) => Promise<T>): Promise<T> => {
    await using store = await openStore(address);
    return await use(store);
  };
  await inStore(fill);
  await using scene = await openAdminScene(new Map(), { address: '127.0.0.1', port: 0, names: [] });
  await fill(scene.store);
  const token = join(folder.path, 'token');
  await writeFile(token, await scene.token('administrator'));
  const few = join(folder.path, 'few');
  await writeFile(few, await scene.token('operator'));
  const here = ['--config', config];
  const server = ['--server', `http://127.0.0.1:${scene.port}`, '--token-file'];
  const forget = (...args: readonly string[]): Promise<CommandOutcome> =>
    runShared(['packages', 'forget', '--registry', 'go', ...args]);
  const index = ['--index', 'https://proxy.test/go/'];
  for (const place of [here, [...server, token]]) {
    const count = () => (place === here ? inStore(known) : known(scene.store));
    const all = await count();
    const dry = await forget(`${mod}@v1.0.0`, '--dry-run', ...place);
    assert.match(
      dry.stdout,
      /^https:\/\/proxy\.test\/go\/ +example\.com\/Mod +v1\.0\.0 +1970-01-01T00:00:00\.000Z +- +-$/m,
      dry.stderr,
    );
    assert.match(dry.stdout, / sha256-x +key$/m);
    assert.match(dry.stdout, /^Without --dry-run it forgets 2 records\.$/m);
    assert.equal(await count(), all);
    const done = await forget(`${mod}@v1.0.0`, ...place);
    assert.match(
      done.stdout,
      /forgot 2 records of example\.com\/Mod@v1\.0\.0 of go; each counts as new/,
      done.stderr,
    );
    assert.equal(await count(), all - 2);
    const rest = await forget(...index, '--json', ...place);
    const told = JSON.parse(rest.stdout) as {
      readonly dry: boolean;
      readonly left: number;
      readonly records: readonly unknown[];
    };
    assert.deepEqual([told.dry, told.left, told.records.length], [false, 0, all - 2]);
    assert.equal(await count(), 0);
    assert.match((await forget(mod, ...place)).stdout, /knows nothing of example\.com\/Mod of go/);
  }
  const events = scene.audit.events.filter(({ action }) => action === 'packages_forgotten');
  // Of the registry as a whole, more than one call forgets.
  assert.equal(events.length, 3);
  assert.match(
    events[0]?.message ?? '',
    /^When 2 versions or files of example\.com\/Mod@v1\.0\.0 of go were seen/,
  );
  assert.deepEqual(events[0]?.details?.['some'], ['example.com/Mod v1.0.0', 'example.com/Mod v1.0.0']);
  const stored = await inStore(async ({ audit }) =>
    (await audit.query({ limit: 10 })).map(({ action }) => action),
  );
  assert.equal(stored.filter((action) => action === 'packages_forgotten').length, 3);
  const refused = await forget(mod, ...server, few);
  assert.match(refused.stderr, /needs the role administrator/);
  for (const wrong of [[], ['--index', 'ftp://proxy.test/'], ['--index', 'https://proxy.test/?a']])
    assert.equal((await forget(...wrong, ...here)).code, 64, wrong.join(' '));
});
