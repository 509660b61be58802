// The real go and the checksum database: zips that go makes have the hash that it says, the database of the tests is one that go takes, and what go would
// take without looking comes whole through the gateway only if the database has it. `npm run test:packages` runs it.

import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hashOfModule, ModFileHash } from '../../src/gateway/packages/checksums/module-zip.ts';
import { OctetSource } from '../../src/gateway/packages/checksums/octet-source.ts';
import { ChecksumTree, databaseKey, goModHash, h1Of } from '../support/checksum-tree.ts';
import { type CommandResult, runCommand } from '../support/command.ts';
import { type AgentProcess, deploy } from '../support/deployment.ts';
import { moduleZip } from '../support/module-zip.ts';
import { httpsOrigin, type Origin } from '../support/origin.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { findTool } from '../support/tools.ts';
import { writeFiles } from './support/clients/registry-client.ts';

const isHere = findTool('go') !== undefined;
const skip =
  process.env['TEST_REGISTRIES'] === undefined
    ? '`npm run test:packages` runs it'
    : isHere
      ? false
      : 'go is not here';

const settings = {
  GOFLAGS: '-mod=mod -modcacherw',
  GOTOOLCHAIN: 'local',
  GONOSUMDB: '',
  GONOSUMCHECK: '',
  GOPRIVATE: '',
} as const;

interface Downloaded {
  readonly Zip: string;
  readonly Sum: string;
  readonly GoMod: string;
  readonly GoModSum: string;
}

/** What go makes of a module in a git repository, as a proxy would get it. */
async function madeByGo(
  folder: string,
  files: Readonly<Record<string, string | Buffer>>,
): Promise<Downloaded> {
  const repository = join(folder, 'repository');
  await mkdir(repository);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(repository, name)), { recursive: true });
    await writeFile(join(repository, name), content);
  }
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.test', '-c', 'commit.gpgsign=false'];
  for (const args of [
    ['init', '-q'],
    ['add', '-A'],
    ['commit', '-qm', 'a module'],
    ['tag', 'v1.0.0'],
  ]) {
    const done = await runCommand('git', [...identity, ...args], { cwd: repository, env: process.env });
    assert.equal(done.code, 0, done.stderr);
  }
  const env = {
    ...process.env,
    ...settings,
    HOME: folder,
    GOPROXY: 'direct',
    GOSUMDB: 'off',
    GOMODCACHE: join(folder, 'cache'),
    GIT_ALLOW_PROTOCOL: 'file:https',
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `url.file://${repository}.insteadOf`,
    // Of the path alone, without its ending.
    GIT_CONFIG_VALUE_0: 'https://example.test/made',
  };
  const done = await runCommand('go', ['mod', 'download', '-json', 'example.test/made.git@v1.0.0'], {
    cwd: folder,
    env,
  });
  assert.equal(done.code, 0, `${done.stdout}${done.stderr}`);
  return JSON.parse(done.stdout) as Downloaded;
}

test('zips that go makes have the hash that go says', { skip }, async () => {
  await using folder = await temporaryDirectory();
  const many = Object.fromEntries(
    Array.from({ length: 400 }, (_, i) => [
      `dir${String(i % 7)}/f${String(i)}.txt`,
      `file ${String(i)}\n`.repeat(i),
    ]),
  );
  const made = await madeByGo(folder.path, {
    'go.mod': 'module example.test/made.git\n\ngo 1.20\n',
    'm.go': 'package made\n',
    'Ünï/ö.txt': 'not of ASCII\n',
    'random.bin': randomBytes(3_000_000),
    'zeros.bin': Buffer.alloc(8_000_000),
    'empty.txt': '',
    ...many,
  });
  const source = new OctetSource();
  source.push(await readFile(made.Zip));
  source.end();
  assert.equal((await hashOfModule(source, () => undefined)).replace('h1-', 'h1:'), made.Sum);
  const mod = new ModFileHash();
  mod.push(await readFile(made.GoMod));
  assert.equal(mod.end().replace('h1-', 'h1:'), made.GoModSum);
});

const key = databaseKey();
const names = ['good', 'Capital', 'zip', 'mod', 'head', 'absent'] as const;
type Name = (typeof names)[number];
const moduleOf = (name: string): string => `example.test/${name}`;
const goModOf = (name: string): string => `module ${moduleOf(name)}\n\ngo 1.20\n`;
const filesOf = (name: string, more = ''): Readonly<Record<string, string>> => ({
  [`${moduleOf(name)}@v1.0.0/go.mod`]: goModOf(name),
  [`${moduleOf(name)}@v1.0.0/m.go`]: `package m // ${'a long line '.repeat(500)}${more}\n`,
});
const zipOf = (files: Readonly<Record<string, string>>): Buffer =>
  moduleZip(Object.entries(files).map(([name, content]) => ({ name, content })));

const tree = new ChecksumTree(key).fill(500);
for (const name of names.filter((one) => one !== 'absent'))
  tree.add(moduleOf(name), 'v1.0.0', h1Of(filesOf(name)), goModHash(goModOf(name)));
tree.fill(900);
/** Signed by the same key: it has the altered module. */
const fork = new ChecksumTree(key)
  .fill(400)
  .add(moduleOf('head'), 'v1.0.0', h1Of(filesOf('head', 'evil')), goModHash(goModOf('head')))
  .fill(900);

/** What the proxy delivers: of some modules something else than their authors published. */
function served(address: string): string | Buffer | undefined {
  // go writes `!x` as `%21x`.
  const url = decodeURIComponent(address);
  const sums = url.startsWith('/sumdb/sum.test/') ? url.slice('/sumdb/sum.test'.length) : undefined;
  if (sums === '/supported') return '';
  if (sums !== undefined) return (sums.includes('/head@') ? fork : tree).at(sums);
  const [, escaped = '', ending = ''] =
    /^\/example\.test\/([a-z!]+)\/@v\/v1\.0\.0\.(info|mod|zip)$/.exec(url) ?? [];
  const name = escaped.replaceAll(/!([a-z])/g, (_, letter: string) => letter.toUpperCase());
  if (!names.some((one) => one === name)) return undefined;
  if (ending === 'info') return '{"Version":"v1.0.0","Time":"2020-01-01T00:00:00Z"}';
  if (ending === 'mod') return name === 'mod' ? `${goModOf(name)}// evil\n` : goModOf(name);
  return zipOf(filesOf(name, name === 'zip' || name === 'head' ? 'evil' : ''));
}

describe('go behind the gateway', { skip, timeout: 300_000 }, () => {
  const resources = new AsyncDisposableStack();
  let [folder, origin]: [string, Origin | undefined] = ['', undefined];
  let agent: AgentProcess | undefined;
  const placeOf = (integrity: string): string => `${integrity}.test:${String(origin?.port ?? 0)}`;

  before(async () => {
    folder = resources.use(await temporaryDirectory()).path;
    const authority = createTestAuthority();
    origin = resources.use(
      await httpsOrigin({
        authority,
        handler: ({ url = '' }, response) => {
          const found = served(url);
          if (found === undefined) response.writeHead(404).end('not found');
          else response.end(found);
        },
      }),
    );
    const { port } = origin;
    const rules = ['none', 'asked', 'required'].map((integrity) => ({
      name: integrity,
      hosts: `${integrity}.test`,
      ports: port,
      addresses: '127.0.0.0/8',
      packages: {
        registry: 'go',
        index: `https://${placeOf(integrity)}/`,
        ...(integrity === 'none' ? {} : { integrity }),
      },
    }));
    const hosts = Object.fromEntries(rules.map((rule) => [rule.hosts, '127.0.0.1']));
    const config = { packageTrust: { checksumDatabase: key.verifier } };
    const deployed = resources.use(await deploy({ authority, hosts, rules, config }));
    agent = resources.use(await deployed.startAgent());
  });
  after(() => resources[Symbol.asyncDispose]());

  let count = 0;
  async function go(name: Name, integrity: string, sumdb: string): Promise<CommandResult> {
    count += 1;
    const own = join(folder, String(count));
    await mkdir(own);
    await writeFiles(own, { 'go.mod': 'module project\n\ngo 1.20\n' });
    const env = {
      ...process.env,
      ...agent?.env,
      ...settings,
      HOME: own,
      GOPROXY: `https://${placeOf(integrity)}`,
      GOSUMDB: sumdb,
      GOMODCACHE: join(own, 'cache'),
    };
    return await runCommand('go', ['get', `${moduleOf(name)}@v1.0.0`], { cwd: own, env });
  }

  test('go itself takes the database of the tests, and refuses what is altered', async () => {
    for (const name of names) {
      const { code, stderr } = await go(name, 'none', key.verifier);
      assert.equal(code === 0, name === 'good' || name === 'Capital', `${name}: ${stderr}`);
    }
  });

  test('go that does not look takes whatever comes, where no rule checks it', async () => {
    for (const name of names) {
      const { code, stderr } = await go(name, 'none', 'off');
      assert.equal(code, 0, `${name}: ${stderr}`);
    }
  });

  test('a rule with integrity lets no altered module through to a go that does not look', async () => {
    for (const integrity of ['asked', 'required'])
      for (const name of names) {
        const { code, stderr } = await go(name, integrity, 'off');
        const comes = name === 'good' || name === 'Capital' || (name === 'absent' && integrity === 'asked');
        assert.equal(code === 0, comes, `${name}, ${integrity}: ${stderr}`);
        if (name === 'head') assert.match(stderr, /is not in the tree that was signed/);
        if (name === 'absent' && !comes) assert.match(stderr, /nothing is promised of .*\(integrity\)/);
      }
  });

  test('with a rule and a go that looks, modules come', async () => {
    for (const name of ['good', 'Capital'] as const) {
      const { code, stderr } = await go(name, 'required', key.verifier);
      assert.equal(code, 0, stderr);
    }
  });
});
