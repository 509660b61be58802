// What a confined command of a smaller session is kept from.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { confinedSecrets } from '../../../src/cli/run/narrow.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('it does not see the sockets of the relays above it, secrets of the home or the state of a gateway', async () => {
  await using directory = await temporaryDirectory();
  const home = directory.path;
  mkdirSync(join(home, '.ssh'));
  writeFileSync(join(home, '.ssh', 'id_ed25519'), 'a key');
  const relaySockets = ['/relays/one/sock', '/relays/two/sock'];
  const environment = { HOME: home, UPSTREAMPROXY_RELAY_SOCKET: '/relays/three/sock' };
  const { covers } = confinedSecrets(environment, { relaySockets });
  const hidden = new Set(covers.map(({ path }) => path));
  for (const path of [
    '/relays/one',
    '/relays/two',
    '/relays/three',
    join(home, '.ssh'),
    join(home, '.local/state/upstreamproxy'),
  ])
    assert.ok(hidden.has(path), path);
});

test('where the agent does not say which sockets there are, it is not confined', () => {
  assert.throws(() => confinedSecrets({}, {}), { code: 'jail_refused', message: /later version/ });
});

test('it does not start in a folder that is hidden from it', async () => {
  const relaySockets = [join(process.cwd(), 'sock')];
  assert.throws(() => confinedSecrets({}, { relaySockets }), { code: 'usage', message: /another one/ });
});
