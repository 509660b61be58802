// What the packages run on the machine that they are installed on.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { gatewayContents } from '../../../scripts/packages/package-contents.ts';
import { buildRpmPackage } from '../../../scripts/packages/rpm-package.ts';
import { mustRun } from '../../support/command.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { skipWithout } from '../../support/tools.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Lines that ask something of systemd. */
const orders = (text: string): readonly string[] =>
  text
    .split('\n')
    .filter((line) => /^ *(?:systemctl|deb-systemd-invoke) |then (?:systemctl|deb-)/.test(line));

test('what systemd cannot do is told, and leaves no package half-configured', () => {
  const folder = join(root, 'deploy/packages');
  const scripts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  const found = orders(scripts.join('\n'));
  assert.equal(found.length, 5, found.join('\n'));
  for (const line of found) assert.match(line, /^ +\S.* \|\| echo 'upstreamproxy: .*' >&2$/);
});

test(
  'the RPM never opens its configuration to others, and its scripts go on without systemd',
  { skip: skipWithout('rpmbuild', 'rpm') },
  async () => {
    await using directory = await temporaryDirectory();
    const at = (name: string): string => join(directory.path, name);
    writeFileSync(at('program'), '');
    for (const name of ['out', 'work']) mkdirSync(at(name));
    const contents = gatewayContents({
      root,
      version: '1.2.3',
      agent: at('program'),
      gateway: at('program'),
      licences: { agent: '', gateway: '' },
      zshFolder: 'usr/share/zsh/site-functions',
    });
    const file = buildRpmPackage(contents, {
      root,
      version: '1.2.3',
      architecture: 'x64',
      out: at('out'),
      work: at('work'),
      epoch: 1_700_000_000,
      maintainer: 'Somebody <somebody@example.com>',
      isQuick: true,
    });
    const query = (...args: readonly string[]): Promise<string> => mustRun('rpm', ['-qp', ...args, file]);
    const modes = (await query('--qf', '[%{FILENAMES} %{FILEMODES:perms}\n]')).split('\n');
    assert.deepEqual(
      modes.filter((line) => line.startsWith('/etc/')),
      [
        '/etc/upstreamproxy drwx------',
        '/etc/upstreamproxy/gateway.yaml -rw-r-----',
        '/etc/upstreamproxy/policy.yaml -rw-r-----',
      ],
    );
    const scripts = await query('--scripts');
    assert.match(scripts, /^postinstall scriptlet .*:\nset -e$/m);
    assert.match(await query('--requires'), /^\(\/usr\/bin\/systemd-sysusers or \/usr\/sbin\/useradd\)$/m);
    const found = orders(scripts);
    assert.equal(found.length, 5, found.join('\n'));
    for (const line of found) assert.match(line, / \|\| echo 'upstreamproxy: .*' >&2$/);
  },
);
