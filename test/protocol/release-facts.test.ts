// What package.json says of the wire and the stores is what the program does: npm gives it to who asks before an upgrade. UPDATE_SCHEMAS=1 writes it anew.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { releaseManifest } from '../../src/api/release-manifest.ts';
import { ownCompatibility } from '../../src/cli/operator/own-compatibility.ts';

const file = new URL('../../package.json', import.meta.url);

test('package.json says which subprotocols and schemas this version has', () => {
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  if (process.env['UPDATE_SCHEMAS'] === '1')
    writeFileSync(
      file,
      `${JSON.stringify({ ...manifest, upstreamproxy: ownCompatibility }, undefined, 2)}\n`,
    );
  else
    assert.deepEqual(
      manifest.upstreamproxy,
      ownCompatibility,
      'run: UPDATE_SCHEMAS=1 node --test test/protocol/release-facts.test.ts',
    );
  const { success } = releaseManifest.safeParse({ ...manifest, compatibility: ownCompatibility });
  assert.ok(success, 'what is published can be read');
  assert.ok(ownCompatibility.store.sqlite.schema >= 15 && ownCompatibility.store.postgres.schema >= 9);
});
