import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

import { commands } from '../../../src/cli/command-table.ts';
import { agentCommands, gatewayCommands } from '../../../src/cli/single-file-commands.ts';
import { parseGatewayConfig } from '../../../src/gateway/config/config.ts';
import {
  agentContents,
  foldersOf,
  gatewayContents,
  type PackageContents,
} from '../../../scripts/packages/package-contents.ts';
import { programLicenses } from '../../../scripts/release/program-licenses.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const needs = {
  root,
  version: '1.2.3',
  agent: '/nowhere/agent',
  gateway: '/nowhere/gateway',
  licences: { agent: programLicenses('agent'), gateway: programLicenses('gateway') },
  zshFolder: 'usr/share/zsh/vendor-completions',
};
const packages = [agentContents(needs), gatewayContents(needs)];
const textOf = ({ files }: PackageContents, path: string): string => {
  const file = files.find((one) => one.path === path);
  assert.ok(file !== undefined && 'bytes' in file, path);
  return String(file.bytes);
};

test('both packages can be installed beside each other, and each path is of this form', () => {
  const paths = packages.flatMap(({ files }) => files.map(({ path }) => path));
  assert.equal(new Set(paths).size, paths.length);
  assert.ok(paths.length > 60, `${paths.length} files`);
  for (const path of paths) assert.match(path, /^(?:usr|etc)\/[A-Za-z0-9_./-]+$/);
});

test('nothing is readable by others that should not be, and the programs by nobody but root', () => {
  for (const { files } of packages)
    for (const file of files)
      if ('leadsTo' in file) assert.equal(file.path, 'usr/bin/upstreamproxy');
      else {
        const [top] = /^(?:usr\/bin|etc)\//.exec(file.path) ?? [];
        assert.equal(file.mode, top === 'usr/bin/' ? 0o711 : top === 'etc/' ? 0o640 : 0o644, file.path);
      }
});

test('what is copied is there, and what is configuration is in /etc alone', () => {
  for (const { files } of packages)
    for (const file of files) {
      if ('copyOf' in file && !file.copyOf.startsWith('/nowhere'))
        assert.ok(existsSync(file.copyOf), file.path);
      assert.equal(file.isConfiguration === true, file.path.startsWith('etc/'));
    }
});

test('the gateway that is configured as the package has it serves its own machine, and allows nothing', () => {
  const [, gateway] = packages;
  const text = textOf(gateway!, 'etc/upstreamproxy/gateway.yaml');
  const parsed = parseGatewayConfig({ file: 'gateway.yaml', text }, '/etc/upstreamproxy');
  assert.ok('config' in parsed);
  assert.deepEqual([parsed.config.listen.address, parsed.config.listen.port], ['127.0.0.1', 8443]);
  assert.deepEqual(parsed.config.policy.paths, ['/etc/upstreamproxy/policy.yaml']);
  assert.equal(parsed.config.stateDirectory, '/var/lib/upstreamproxy');
  assert.match(textOf(gateway!, 'etc/upstreamproxy/policy.yaml'), /^rules: \[\]$/m);
  const socket = readFileSync(`${root}/deploy/systemd/upstreamproxy-gateway.socket`, 'utf8');
  assert.match(socket, /^ListenStream=127\.0\.0\.1:8443$/m);
});

test('the licences of all that is built in are named', () => {
  const [agent, gateway] = packages.map((one) => {
    const file = one.files.find(({ path }) => path === `usr/share/doc/${one.name}/licences.gz`);
    assert.ok(file !== undefined && 'bytes' in file);
    return gunzipSync(file.bytes).toString('utf8');
  });
  for (const text of [agent, gateway]) assert.match(text ?? '', /Apache License[^]*Node\.js is licensed/);
  const holds = (text: string | undefined, name: string): boolean =>
    new RegExp(`^${name} [0-9.]+ \\(\\(?[A-Za-z]`, 'm').test(text ?? '');
  const ofAgent = ['yaml', 'zod', 'jose', 'node'];
  // Of the program, and of the console that it serves.
  const ofGateway = [
    ...ofAgent,
    'pg',
    'pg-types',
    '@bufbuild/protobuf',
    'react',
    'react-dom',
    '@codemirror/state',
  ];
  for (const name of ofAgent) assert.ok(holds(agent, name), name);
  for (const name of ofGateway) assert.ok(holds(gateway, name), name);
  assert.ok(!holds(agent, 'react') && !holds(agent, 'pg'));
  assert.ok(!gateway?.includes('oxlint'));
});

test('each command of a single file is one that there is, and the agent has those of its own program', () => {
  for (const name of [...agentCommands, ...gatewayCommands]) assert.ok(commands.has(name), name);
  const source = readFileSync(`${root}/src/cli/single-file.ts`, 'utf8');
  const own = [...source.matchAll(/^ {2}\['([a-z-]+)', async/gm)].map(([, name]) => name);
  assert.deepEqual(own, [...agentCommands]);
});

test('the folders of files are named from the outermost to the innermost', () => {
  const file = (path: string) => ({ path, mode: 0o644, bytes: '' });
  assert.deepEqual(foldersOf([file('usr/share/a/b'), file('etc/c')]), [
    'etc',
    'usr',
    'usr/share',
    'usr/share/a',
  ]);
});
