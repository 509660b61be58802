// The package as npm makes it, installed in an empty folder: the command, the library and its types.

import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { openRunFolder } from '../../scripts/test-program.ts';
import { mustRun, runCommand } from '../support/command.ts';
import { nodeOfMajor } from '../support/old-nodes.ts';
import { httpsOrigin } from '../support/origin.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { skipWithout } from '../support/tools.ts';
import { type PackReport, readPackReport } from '../support/pack-report.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const tools = join(root, 'node_modules', '.bin');
const env = { ...process.env, PATH: `${tools}${delimiter}${process.env['PATH']}` };
const installTimeoutMs = 120_000;

const consumer = `
import { initUpstreamProxy, startUpstreamProxyRelay, downloadCaBundle, setNonDumpable } from 'upstreamproxy';
import type { GatewayRelay, InitOptions, RelayOptions, UpstreamProxy } from 'upstreamproxy';

const options: InitOptions = {};
await using proxy: UpstreamProxy = await initUpstreamProxy(options);
const port: number = proxy.port;
// @ts-expect-error: a port is no text
const text: string = proxy.port;
if (!proxy.enabled) console.error(proxy.reason.length);
// @ts-expect-error: only one that is on surely has an id
const id: string = proxy.sessionId;
const start = (token: string): Promise<GatewayRelay> => startUpstreamProxyRelay({ wsUrl: 'wss://gateway.test', sessionId: 'a', token });
// @ts-expect-error: there is no such option
const wrong = (token: string): unknown => startUpstreamProxyRelay({ gatewayURL: 'https://gateway.test', token });
const relay: (options: RelayOptions) => Promise<{ readonly port: number }> = startUpstreamProxyRelay;
const bundle: (base: string, system: string, out: string) => Promise<boolean> = downloadCaBundle;
void [id, start, wrong];
console.log(JSON.stringify([proxy.enabled, proxy.reason, port, text, typeof relay, typeof bundle, setNonDumpable().nondumpable]));
`;

const orchestrator = `
import { openAdmin, AdminError, Secret, type AuditEvent } from 'upstreamproxy/admin';

const admin = await openAdmin({ server: 'https://admin.example.com', token: new Secret('upadm_' + 'A'.repeat(43)) });
export const calls = async (): Promise<void> => {
  const { items, next } = await admin.api.sessions({ query: { all: 'true' } }, { timeoutMs: 1000 });
  const principal: string | undefined = items[0]?.principal;
  // @ts-expect-error: a session needs its id
  await admin.api.session({});
  // @ts-expect-error: a grant says for how long
  await admin.api.grantAccess({ id: 'a', body: {} });
  // @ts-expect-error: there is no such filter
  admin.each('exchanges', { hots: 'a.test' });
  for await (const event of admin.each('exchanges', { host: '.example.com', count: 10 })) print(event);
  const events = await admin.events({ verdict: 'deny' }, { after: 'e1' });
  for await (const item of events) if (item.kind === 'event') print(item.event);
  void [principal, next];
};
const print = ({ id }: AuditEvent): void => console.log(id);
const error: unknown = await openAdmin({ server: 'http://admin.example.com', token: 'x' }).catch((thrown: unknown) => thrown);
console.log(JSON.stringify([typeof admin.api.who, error instanceof Error && error.message, typeof AdminError]));
`;

let directory: TemporaryDirectory;
let packed: PackReport;

before(
  async () => {
    directory = await temporaryDirectory();
    // Its own scripts build it first.
    const output = await mustRun('npm', ['pack', '--json', '--pack-destination', directory.path], {
      cwd: root,
      // `npm run test:release` packs it with the site.
      env: { ...env, UPSTREAMPROXY_PACK_SITE: 'no' },
      timeoutMs: installTimeoutMs,
    });
    packed = readPackReport(output);
    await writeFile(join(directory.path, 'package.json'), JSON.stringify({ type: 'module', private: true }));
    const install = [
      'install',
      '--no-audit',
      '--no-fund',
      '--prefer-offline',
      // Its own Node takes 200 MB; that it comes is a test of `npm run test:release`.
      '--omit=optional',
      join(directory.path, packed.filename),
    ];
    await mustRun('npm', install, { cwd: directory.path, env, timeoutMs: installTimeoutMs });
  },
  { timeout: 2 * installTimeoutMs },
);
after(async () => {
  await directory[Symbol.asyncDispose]();
});

test('the package has the program, the types, the documents and what they link to, and no source, test or key', () => {
  const paths = packed.files.map(({ path }) => path);
  for (const path of [
    'bin/upstreamproxy',
    'dist/index.js',
    'dist/index.d.ts',
    'dist/admin/admin.js',
    'dist/admin/admin.d.ts',
    'dist/cli/main.js',
    'dist/console/index.html',
    'dist/console/LICENSES.md',
    'schema/audit-event.schema.json',
    'schema/policy.schema.json',
    'schema/gateway.schema.json',
    'man/upstreamproxy.1',
    'deploy/chart/Chart.yaml',
    'deploy/chart/values.schema.json',
    'deploy/chart/templates/_names.tpl',
    'deploy/chart/templates/NOTES.txt',
    'deploy/kubernetes/require-agent.yaml',
    'man/upstreamproxy-run.1',
    'LICENSE',
    'README.md',
  ]) {
    assert.ok(paths.includes(path), path);
  }
  const expected =
    /^(?:bin\/upstreamproxy|dist\/.+\.(?:js|d\.ts)|dist\/console\/(?:index\.html|LICENSES\.md|assets\/[\w-]+\.(?:css|svg))|docs\/.+|examples\/[\w.-]+\.(?:yaml|mjs|sh|ts|py|pac)|deploy\/(?:\w+\.Dockerfile|[a-z-]+\.(?:json|yaml))|deploy\/postgres\/[a-z-]+\.sql|deploy\/chart\/[\w./-]+|deploy\/kubernetes\/[a-z-]+\.yaml|deploy\/recipes\/[\w./-]+|man\/upstreamproxy[a-z-]*\.1|schema\/.+\.json|site\/documents\.tar\.zst|[A-Z]+\.md|LICENSE|package\.json)$/;
  assert.deepEqual(
    paths.filter((path) => !expected.test(path)),
    [],
  );
});

test('the program is in few pieces, in which packages of others are not, and the library and the threads have files of their own', async () => {
  const dist = join(directory.path, 'node_modules', 'upstreamproxy', 'dist');
  const imported = async (file: string): Promise<readonly string[]> => {
    const text = await readFile(join(dist, file), 'utf8');
    const found = text.matchAll(/^(?:import\b.*|\} from) "([^"\n]+)";$|\bimport\("([^"\n]+)"\)/gm);
    return [...found].map(([, whole, used]) => whole ?? used ?? '');
  };
  const main = await imported('cli/main.js');
  assert.ok(main.length > 10);
  for (const specifier of main) assert.match(specifier, /^(?:\.\.\/program\/[\w-]+\.js|node:.+)$/);
  const pieces = packed.files.map(({ path }) => path).filter((path) => path.startsWith('dist/program/'));
  // A piece for what is loaded when it is used, and for what several of those share.
  const modules = packed.files.filter(({ path }) => /^dist\/(?!program\/|console\/).+\.js$/.test(path));
  assert.ok(pieces.length < modules.length / 4, `${pieces.length} pieces of ${modules.length} modules`);
  const others = new Set<string>();
  for (const path of pieces)
    for (const specifier of await imported(path.slice('dist/'.length)))
      if (!/^(?:\.\/|\.\.\/program\/|node:)/.test(specifier))
        others.add(specifier.replace(/^(@[^/]+\/)?([^/]+).*/, '$1$2'));
  assert.deepEqual([...others].toSorted(), [
    '@bufbuild/protobuf',
    '@marcbachmann/cel-js',
    '@sigstore/bundle',
    '@sigstore/protobuf-specs',
    '@sigstore/verify',
    'ae-cvss-calculator',
    'graphql',
    'http-cache-semantics',
    'jose',
    'libpg-query',
    'openid-client',
    'pg',
    'quickjs-wasi',
    'semver',
    'ssh2',
    'tldts',
    'undici',
    'yaml',
    'zod',
  ]);
  for (const file of [
    'store/sqlite/sqlite-audit-writer.js',
    'gateway/policies/policy-thread.js',
    'agent/own-thread.js',
  ])
    assert.ok(
      packed.files.some(({ path }) => path === `dist/${file}`),
      file,
    );
});

test('the program that the tests start has every octet of the one in the package', async () => {
  await using own = process.env['TEST_RUN_FOLDER'] === undefined ? await openRunFolder(root) : undefined;
  const started = join(own?.path ?? process.env['TEST_RUN_FOLDER']!, 'package');
  const installed = join(directory.path, 'node_modules', 'upstreamproxy');
  const programOf = async (place: string): Promise<Readonly<Record<string, string>>> => {
    const files = await readdir(join(place, 'dist'), { recursive: true, withFileTypes: true });
    const paths = files
      .filter((file) => file.isFile() && !file.name.endsWith('.d.ts'))
      .map((file) => join(file.parentPath, file.name));
    const all = [...paths, join(place, 'bin', 'upstreamproxy'), join(place, 'package.json')];
    const digest = async (path: string): Promise<string> => hash('sha256', await readFile(path));
    return Object.fromEntries(
      await Promise.all(all.map(async (path) => [relative(place, path), await digest(path)])),
    );
  };
  const program = await programOf(installed);
  assert.ok(Object.keys(program).length > 500);
  assert.deepEqual(await programOf(started), program);
});

test('a program in TypeScript finds the functions of both libraries with their types, however it resolves modules', async () => {
  await mkdir(join(directory.path, 'node_modules', '@types'), { recursive: true });
  // A consumer has the types of Node; these are the same ones.
  await symlink(
    join(root, 'node_modules', '@types', 'node'),
    join(directory.path, 'node_modules', '@types', 'node'),
  );
  await symlink(
    join(root, 'node_modules', 'undici-types'),
    join(directory.path, 'node_modules', 'undici-types'),
  );
  await writeFile(join(directory.path, 'consumer.ts'), consumer);
  await writeFile(join(directory.path, 'orchestrator.ts'), orchestrator);
  for (const resolution of [
    { module: 'nodenext' },
    { module: 'node16' },
    { module: 'esnext', moduleResolution: 'bundler' },
  ]) {
    const compilerOptions = {
      strict: true,
      target: 'es2024',
      lib: ['esnext'],
      types: ['node'],
      noEmit: true,
      ...resolution,
    };
    await writeFile(
      join(directory.path, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['consumer.ts', 'orchestrator.ts'] }),
    );
    const { code, stdout } = await runCommand('tsc', ['-p', '.'], { cwd: directory.path, env });
    assert.equal(code, 0, `${resolution.module}: ${stdout}`);
  }
});

for (const [runtime, ...options] of [['node', '--disable-warning=ExperimentalWarning'], ['bun']]) {
  test(`the library for orchestrators is imported under ${runtime}`, async () => {
    await writeFile(join(directory.path, `${runtime}-orchestrator.ts`), orchestrator);
    const { code, stdout, stderr } = await runCommand(runtime!, [...options, `${runtime}-orchestrator.ts`], {
      cwd: directory.path,
      env,
    });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^\["function","openAdmin: server must be https:.*","function"\]$/m);
  });

  test(`the library works when it is imported under ${runtime}`, async () => {
    await writeFile(join(directory.path, `${runtime}-consumer.ts`), consumer);
    const { code, stdout, stderr } = await runCommand(runtime!, [...options, `${runtime}-consumer.ts`], {
      cwd: directory.path,
      env,
    });
    assert.equal(code, 0, stderr);
    const [enabled, reason, port, , relay, bundle, nondumpable] = JSON.parse(stdout);
    assert.deepEqual([enabled, port, relay, bundle, nondumpable], [false, 0, 'function', 'function', true]);
    assert.match(reason, /not configured/);
  });

  test(
    `the command of the package runs a command behind the proxy under ${runtime}`,
    { skip: skipWithout('curl') },
    async () => {
      const authority = createTestAuthority();
      await using origin = await httpsOrigin({ authority });
      const rule = `{ name: hello, hosts: api.test, ports: ${origin.port}, addresses: 127.0.0.1/32 }`;
      await writeFile(join(directory.path, 'policy.yaml'), `rules: [${rule}]\n`);
      await writeFile(join(directory.path, 'ca.pem'), authority.caPem);
      const config = 'policy: policy.yaml\nupstream: { ca: ca.pem, hosts: { api.test: 127.0.0.1 } }\n';
      await writeFile(join(directory.path, 'gateway.yaml'), config);
      const own = { ...env, XDG_STATE_HOME: directory.path, UPSTREAMPROXY_RUNTIME: runtime };
      const command = join(directory.path, 'node_modules', '.bin', 'upstreamproxy');
      const version = await mustRun(command, ['version'], { env: own });
      assert.match(version, new RegExp(`^upstreamproxy [0-9.]+ \\(${runtime} `));
      const args = [
        'run',
        '--config',
        join(directory.path, 'gateway.yaml'),
        '--',
        'curl',
        '-sS',
        origin.url('api.test', '/hello'),
      ];
      const { code, stdout, stderr } = await runCommand(command, args, { env: own });
      assert.deepEqual([code, stdout], [0, 'hello\n'], stderr);
    },
  );
}

/** Each function in turn, with what it gives and what it throws. Old versions know no `await using` and no types. */
const oldConsumer = `
import * as library from 'upstreamproxy';

const seen = {};
const lines = [];
const logger = { info() {}, warn: (line) => lines.push(line) };
const attempt = async (name, call) => {
  try {
    const { enabled, reason, env, error } = await call();
    seen[name] = { enabled, message: reason, env, code: error?.code };
  } catch (error) {
    seen[name] = { code: error.code, message: error.message, isProxyError: error instanceof library.ProxyError };
  }
};
const options = { gatewayUrl: 'https://gateway.test', tokenFile: 'token', dangerouslyAllowUnhardened: true, logger };
await attempt('initUpstreamProxy', () => library.initUpstreamProxy(options));
await attempt('initUpstreamProxy, throwing', () => library.initUpstreamProxy({ ...options, onFailure: 'throw' }));
await attempt('initUpstreamProxy, without options', () => library.initUpstreamProxy());
await attempt('startUpstreamProxyRelay', () => library.startUpstreamProxyRelay({ ...options, token: 'a.b.c' }));
await attempt('downloadCaBundle', () => library.downloadCaBundle('https://gateway.test', undefined, 'out.pem'));
await attempt('writeCaBundle', () => library.writeCaBundle('https://gateway.test', undefined, 'out.pem'));
await attempt('setNonDumpable', async () => library.setNonDumpable());
console.log(JSON.stringify({ seen, lines, functions: Object.keys(library).length }));
`;

/** The library for orchestrators needs no foreign functions, so it serves where the other one refuses. */
const oldOrchestrator = `
import { createServer } from 'node:http';
import { openAdmin } from 'upstreamproxy/admin';

const event = (id) => ({ v: 1, id, time: '2030-01-01T00:00:00.000Z', kind: 'exchange', traceId: 'a'.repeat(32), verdict: 'allow' });
let asked = 0;
const server = createServer(({ url }, response) => {
  asked += 1;
  if (asked === 1) return response.writeHead(503).end();
  const follows = url.startsWith('/v1/exchanges/follow');
  response.writeHead(200, { 'content-type': follows ? 'text/event-stream' : 'application/json' });
  if (follows) return response.end('data: ' + JSON.stringify(event('e' + asked)) + '\\n\\n');
  response.end(JSON.stringify(url === '/v1/who' ? { name: 'ada', role: 'viewer', by: 'token' } : { items: [event('e0')] }));
});
server.listen(0, '127.0.0.1', async () => {
  const admin = await openAdmin({ server: 'http://127.0.0.1:' + server.address().port, token: 'upadm_' + 'A'.repeat(43) });
  const seen = [(await admin.api.who()).name];
  const events = await admin.events();
  for await (const { event: { id } } of events) if (seen.push(id) === 3) break;
  const { code } = await admin.api.session({ id: 'a' }).catch((error) => error);
  console.log(JSON.stringify([...seen, code]));
  await admin[Symbol.asyncDispose]();
  server.close();
});
`;

for (const major of [20, 22, 24]) {
  const program = nodeOfMajor(major);
  test(
    `under Node ${major} the library for orchestrators works`,
    { skip: program === undefined && `no Node ${major} here; npm run test:runtimes brings one for its time` },
    async () => {
      await writeFile(join(directory.path, 'old-orchestrator.mjs'), oldOrchestrator);
      const { code, stdout, stderr } = await runCommand(program!, ['old-orchestrator.mjs'], {
        cwd: directory.path,
        env,
      });
      assert.deepEqual([code, stderr], [0, '']);
      assert.deepEqual(JSON.parse(stdout), ['ada', 'e4', 'e5', 'admin_unreachable']);
    },
  );
  const skip =
    program === undefined && `no Node ${major} here; npm run test:runtimes brings one for its time`;
  test(
    `under Node ${major} it can be imported, and each function refuses and says what to do`,
    { skip },
    async () => {
      await writeFile(join(directory.path, 'old-consumer.mjs'), oldConsumer);
      await writeFile(join(directory.path, 'token'), 'header.payload.signature', { mode: 0o600 });
      const { code, stdout, stderr } = await runCommand(program!, ['old-consumer.mjs'], {
        cwd: directory.path,
        env,
      });
      assert.deepEqual([code, stderr], [0, '']);
      const { seen, lines, functions } = JSON.parse(stdout);
      assert.equal(functions, 7);
      assert.equal(Object.keys(seen).length, 7);
      for (const [name, result] of Object.entries<Record<string, unknown>>(seen)) {
        assert.equal(result['code'], 'runtime_unsupported', name);
        // What is needed, why, and the way out.
        assert.match(
          String(result['message']),
          new RegExp(`^Node 26 or newer, or Bun, is needed, and this is Node ${major}\\.`),
        );
        assert.match(
          String(result['message']),
          /no foreign functions.*npm install node@26.*upstreamproxy-agent/,
        );
        assert.ok(
          result['isProxyError'] === true || (result['enabled'] === false && name.startsWith('init')),
          name,
        );
        if (result['enabled'] === false) assert.deepEqual(result['env'], {});
      }
      // One that was asked for, and could not be had.
      assert.equal(lines.length, 1);
      assert.match(lines[0], /^the proxy is off: .* \[runtime_unsupported\]$/);
      assert.equal(await readFile(join(directory.path, 'token'), 'utf8'), 'header.payload.signature');
      await assert.rejects(readFile(join(directory.path, 'out.pem')), { code: 'ENOENT' });
    },
  );
}
