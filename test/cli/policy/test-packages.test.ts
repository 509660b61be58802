// `packages test` in a session: a rule about packages refuses the package that no registry has, and a registry without one is asked for it.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../support/command.ts';
import { launcher } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { packageRegistries } from '../../../src/understand/packages/package-request.ts';
import { readerOf } from '../../../src/understand/packages/read-package.ts';
import { isTestPackage, testPackageOf } from '../../../src/understand/packages/test-package.ts';
import { archivePath, metadataPath } from '../../../src/gateway/packages/metadata-address.ts';
import { policyOf, verdict } from '../../policy/fixture.ts';

test('the package is refused at each registry, by rules that allow and rules that deny, as list and as archive', () => {
  const root = { scheme: 'https', host: 'a.example.com', port: 443, path: '/r' } as const;
  for (const registry of packageRegistries) {
    const { name, version } = testPackageOf(registry);
    const place = { registry, root, name, written: name };
    const keys = `registry: ${registry}, index: "https://a.example.com/r/"`;
    const allowing = policyOf(`rules: [{ name: r, hosts: a.example.com, packages: { ${keys} } }]`);
    const denying = policyOf(
      `rules: [{ name: no, hosts: a.example.com, deny: true, packages: { ${keys}, deny: none/x:none } }, { name: all, hosts: a.example.com }]`,
    );
    for (const path of [metadataPath(place), archivePath(place, version)]) {
      const read = readerOf(registry)({ method: 'GET', path: path.slice('/r'.length), query: '' });
      assert.ok('name' in read && isTestPackage(registry, read.name), path);
      assert.equal(verdict(allowing, `GET https://a.example.com${path}`), 'deny default-deny');
      assert.equal(verdict(denying, `GET https://a.example.com${path}`), 'deny no');
    }
  }
});

test('in a session it says whether a rule is in force, and what a client is told', async () => {
  await using folder = await temporaryDirectory();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => void server.once('listening', () => resolve(undefined)));
  // The server listens on a port.
  const { port } = server.address() as AddressInfo;
  const index = `http://127.0.0.1:${String(port)}/`;
  const rule = `name: npm, hosts: 127.0.0.1, scheme: http, ports: ${String(port)}, addresses: 127.0.0.0/8`;
  const tested = async (keys: string, ...args: readonly string[]) => {
    const policy = join(folder.path, 'policy.yaml');
    await writeFile(policy, `rules: [{ ${rule}${keys} }]\n`);
    const command = [launcher, 'packages', 'test', '--registry', 'npm', '--index', index, ...args];
    const run = ['run', '-q', '--isolate=off', '--policy', policy, '--', ...command];
    const env = { ...process.env, HOME: folder.path, XDG_STATE_HOME: folder.path };
    let result = await runCommand(launcher, run, { env });
    // On a loaded machine the gateway of the run may not be ready in its time: it says so, and is started once more.
    for (let tries = 0; tries < 3 && result.code === 75; tries += 1)
      result = await runCommand(launcher, run, { env });
    return result;
  };
  try {
    const works = await tested(
      ', packages: { registry: npm, deny: left-pad }',
      '--package',
      'left-pad@1.3.0',
    );
    assert.equal(works.code, 0, works.stderr);
    assert.match(works.stdout, /list: refused: upstreamproxy: upstreamproxy-packages-test is not allowed/);
    assert.match(works.stdout, /archive: refused: upstreamproxy: upstreamproxy-packages-test@1\.0\.0 is not/);
    assert.match(works.stdout, /archive: refused: upstreamproxy: left-pad@1\.3\.0 is not allowed/);
    assert.match(works.stdout, /A rule about packages is in force for npm at http:/);
    assert.deepEqual(asked, []);
    const open = await tested('', '--json');
    assert.equal(open.code, 1, open.stderr);
    const said = JSON.parse(open.stdout) as { readonly works: boolean };
    assert.equal(said.works, false);
    assert.deepEqual(asked, [
      '/upstreamproxy-packages-test',
      '/upstreamproxy-packages-test/-/upstreamproxy-packages-test-1.0.0.tgz',
    ]);
  } finally {
    server.close();
  }
});

test('without a session it says what to do', async () => {
  const command = ['packages', 'test', '--registry', 'npm', '--index', 'https://npm.test/'];
  const result = await runCommand(launcher, command);
  assert.equal(result.code, 64);
  assert.match(result.stderr, /there is no session here/);
});
