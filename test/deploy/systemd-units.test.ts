// The units of the packages, as systemd reads them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { gatewayConfigDefaults } from '../../src/gateway/config/config.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { skipWithout } from '../support/tools.ts';

const folder = fileURLToPath(new URL('../../deploy/systemd', import.meta.url));
const [service, socket] = ['service', 'socket'].map((kind) => `upstreamproxy-gateway.${kind}`) as [
  string,
  string,
];
const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
const skip = skipWithout('systemd-analyze');

test('systemd finds nothing wrong with the units', { skip }, async () => {
  await using directory = await temporaryDirectory();
  const file = (name: string): string => join(directory.path, name);
  // A program that is there on every machine.
  writeFileSync(file(service), text(service).replace(/^(ExecStart=)\S+/m, '$1/bin/sh'));
  copyFileSync(join(folder, socket), file(socket));
  const verify = (...names: readonly string[]): string => {
    const args = ['verify', '--man=no', '--generators=no', '--recursive-errors=no', ...names.map(file)];
    const { stdout, stderr, status } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    return status === 0 && !/gateway/.test(stderr) ? '' : `${stdout}${stderr}`;
  };
  assert.equal(verify(service, socket), '');
  writeFileSync(file('wrong-gateway.service'), '[Service]\nType=nonsense\nExecStart=/bin/sh\n');
  assert.match(verify('wrong-gateway.service'), /nonsense/);
});

test('a start that has much to do is not ended', () => {
  assert.match(text(service), /^TimeoutStartSec=infinity$/m);
});

test('the service has descriptors for its streams, whatever the machine gives by default', () => {
  const [, files] = /^LimitNOFILE=(\d+)$/m.exec(text(service)) ?? [];
  assert.ok(Number(files) >= 65_536);
});

test('what the service may do is rated at 1.1 or better', { skip }, () => {
  const rate = (...options: readonly string[]) =>
    spawnSync(
      'systemd-analyze',
      ['security', '--offline=true', '--no-pager', ...options, join(folder, service)],
      {
        encoding: 'utf8',
      },
    );
  const { status, stdout } = rate('--threshold=11');
  assert.match(stdout, /Overall exposure level for upstreamproxy-gateway\.service: [01]\.\d/);
  assert.equal(status, 0, stdout);
  assert.notEqual(rate('--threshold=1').status, 0);
});

test('the units name the program, the state and the user of the package', () => {
  assert.match(
    text(service),
    /^ExecStart=\/usr\/bin\/upstreamproxy-gateway gateway --config \/etc\/upstreamproxy\/gateway\.yaml$/m,
  );
  const [, state] = /^StateDirectory=(\S+)$/m.exec(text(service)) ?? [];
  assert.equal(`/var/lib/${state}`, gatewayConfigDefaults.stateDirectory);
  const [, user] = /^User=(\S+)$/m.exec(text(service)) ?? [];
  assert.match(
    text('upstreamproxy-gateway.sysusers'),
    new RegExp(`^u ${user} - ".*" /var/lib/${state}$`, 'm'),
  );
  assert.match(
    text('upstreamproxy-gateway.tmpfiles'),
    new RegExp(`^d /var/lib/${state} 0700 ${user} ${user}$`, 'm'),
  );
  assert.match(text(socket), /^FileDescriptorName=gateway$/m);
});
