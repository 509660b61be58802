import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { homeFiles } from '../../../src/agent/home-files/home-file-table.ts';
import {
  type OutsideFilesOptions,
  placementsDirectory,
  placeOutsideFiles,
} from '../../../src/agent/home-files/outside-files.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { MemoryLogger } from '../support/enrolled.ts';

async function withOptions(
  use: (options: OutsideFilesOptions & { readonly logger: MemoryLogger }, home: string) => Promise<void>,
): Promise<void> {
  await withTemporaryDirectory(async (folder) => {
    const home = join(folder, 'home');
    mkdirSync(home);
    const ownCa = join(folder, 'ca.pem');
    writeFileSync(ownCa, createTestAuthority().caPem);
    const base = { HOME: home, XDG_STATE_HOME: join(folder, 'state') };
    const files = { bundle: join(folder, 'bundle.pem'), ownCa };
    const logger = new MemoryLogger();
    const rest = { base, homeFiles: true, systemStore: false, connectCommand: undefined, files, logger };
    await use({ ...rest, port: 4321 }, home);
  });
}

test('without HOME, or without a place for the manifest, nothing is placed', async () => {
  await withOptions(async (options, home) => {
    await assert.rejects(placeOutsideFiles({ ...options, base: {} }), { code: 'config_invalid' });
    writeFileSync(join(home, 'file'), '');
    const base = { HOME: home, XDG_STATE_HOME: join(home, 'file') };
    await assert.rejects(placeOutsideFiles({ ...options, base }), { code: 'trust_unwritable' });
    assert.deepEqual(readdirSync(home), ['file']);
  });
});

test('a relay without a port has no files in HOME, for they would name it', async () => {
  await withOptions(async (options, home) => {
    await using _ = await placeOutsideFiles({ ...options, port: 0 });
    assert.deepEqual(readdirSync(home), []);
  });
});

test('one that cannot be written is told, and the others are placed', async () => {
  await withOptions(async (options, home) => {
    writeFileSync(join(home, '.subversion'), 'a file where the folder would be');
    await using _ = await placeOutsideFiles(options);
    assert.match(options.logger.lines.join('\n'), /\.subversion\/servers is left out/);
    assert.ok(readdirSync(home).includes('.aria2'));
  });
});

test('the manifests are below the state folder of the user', () => {
  assert.equal(placementsDirectory({ HOME: '/h' }), '/h/.local/state/upstreamproxy/placed');
  assert.equal(placementsDirectory({ HOME: '/h', XDG_STATE_HOME: '/s' }), '/s/upstreamproxy/placed');
  assert.equal(
    placementsDirectory({ HOME: '/h', XDG_STATE_HOME: 'relative' }),
    placementsDirectory({ HOME: '/h' }),
  );
  assert.equal(placementsDirectory({}), undefined);
});

test('the command of ssh survives blanks, quotes and percent signs in its path', () => {
  const facts = { port: 1, bundle: '/b', ownCa: '/c' };
  const files = homeFiles({ ...facts, connectCommand: ["/it's 100%/upstreamproxy"] });
  const ssh = files.find(({ path }) => path === '.ssh/config');
  assert.match(ssh?.text ?? '', /ProxyCommand '\/it'\\''s 100%%\/upstreamproxy' 'connect' /);
  assert.equal(ssh?.mode, 0o600);
  assert.equal(
    homeFiles({ ...facts, connectCommand: undefined }).some(({ path }) => path.startsWith('.ssh')),
    false,
  );
});
