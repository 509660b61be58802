// What the cache is worth: packages of npm, modules of Go and an image of registries that are 20 ms away, straight from there, through the gateway
// the first time, and again from its cache; squid beside. Rounds in turns; what counts is the ratio of a round.

import { spawn } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:https';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { openConnectProxy } from '../test/gateway/support/connect-proxy.ts';
import { openRequestPath, type RequestPath } from '../test/gateway/support/request-path.ts';
import { openTestCache } from '../test/gateway/support/cache-scene.ts';
import { runCommand } from '../test/support/command.ts';
import { waitUntil } from '../test/support/program.ts';
import { httpsOrigin } from '../test/support/origin.ts';
import { temporaryDirectory } from '../test/support/temporary-directory.ts';
import { createTestAuthority, type TestAuthority } from '../test/support/test-authority.ts';
import { openTestMetadata } from '../test/gateway/support/metadata-scene.ts';
import { benchOwnLock } from './cache-own-lock.ts';
import { keepingVerdaccio } from './cache-verdaccio.ts';
import { cachingSquid } from './cache-squid.ts';
import { imageOf, moduleOf, type Package, packageOf, registryOf, type Served } from './cache-registry.ts';
import { firstLine, hasProgram } from './child.ts';
import { median } from './report/statistics.ts';

const host = 'npm.test';
const hosts = [host, 'go.test', 'image.test'];
/** As many as npm has. */
const connections = 15;

const lockOf = (packages: readonly Package[], at: string): string =>
  JSON.stringify({
    name: 'project',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: {
      '': { name: 'project', version: '1.0.0', dependencies: dependenciesOf(packages) },
      ...Object.fromEntries(
        packages.map(({ name, path, integrity }) => [
          `node_modules/${name}`,
          { version: '1.0.0', resolved: `${at}${path}`, integrity },
        ]),
      ),
    },
  });

const dependenciesOf = (packages: readonly Package[]): object =>
  Object.fromEntries(packages.map(({ name }) => [name, '1.0.0']));

async function timed(run: () => Promise<void>): Promise<number> {
  const beganMs = performance.now();
  await run();
  return performance.now() - beganMs;
}

/** A client that does nothing but fetch. */
async function fetchAll(packages: readonly Package[], agent: Agent, port: number): Promise<void> {
  const left = [...packages];
  const one = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const { path, archive } = next;
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      get({ agent, host, port, path, servername: host }, (response) => {
        let octets = 0;
        response.on('data', (chunk: Buffer) => (octets += chunk.length));
        response.once('end', () => resolve(octets)).once('error', reject);
      }).once('error', reject);
      if ((await promise) !== archive.length) throw new Error(`${path} is not whole`);
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
}

interface Place {
  readonly served: Served;
  readonly directory: string;
  readonly authority: TestAuthority;
  /** Where programs are that come from npm. */
  readonly tools: string;
  /** Of the end of the line that is near. */
  readonly port: number;
  /** Of the registry itself: what no cache can be faster than. */
  readonly near: number;
}

async function npmCi(
  { served: { packages }, directory, port }: Place,
  { name, ca, proxy, registry }: Way,
): Promise<void> {
  const folder = join(directory, name);
  await mkdir(folder);
  const at = registry ?? `https://${proxy === undefined ? '127.0.0.1' : host}:${String(port)}`;
  const manifest = { name: 'project', version: '1.0.0', dependencies: dependenciesOf(packages) };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  await writeFile(join(folder, 'package-lock.json'), lockOf(packages, at));
  const env = {
    ...process.env,
    NODE_EXTRA_CA_CERTS: ca,
    npm_config_cache: join(folder, '.cache'),
    npm_config_registry: `${at}/`,
    ...(proxy === undefined ? {} : { npm_config_https_proxy: proxy, npm_config_noproxy: '' }),
  };
  const args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts'];
  const result = await runCommand('npm', args, { cwd: folder, env, timeoutMs: 300_000 });
  if (result.code !== 0) throw new Error(result.stderr);
  await rm(folder, { recursive: true });
}

type Note = (name: string, run: () => Promise<void>) => Promise<void>;

/** From where something is installed. */
interface Way {
  readonly name: string;
  readonly ca: string;
  /** URL; undefined: straight from the registry. */
  readonly proxy?: string;
  /** URL of a registry that stands in for it. */
  readonly registry?: string;
}

const originOf = ({ port }: Place, name: string, { proxy }: Way): string =>
  `${proxy === undefined ? '127.0.0.1' : name}:${String(port)}`;

const proxied = ({ ca, proxy }: Way): Readonly<Record<string, string>> => ({
  SSL_CERT_FILE: ca,
  ...(proxy === undefined ? {} : { HTTPS_PROXY: proxy, https_proxy: proxy, NO_PROXY: '', no_proxy: '' }),
});

/** All modules of a project that names them, into an empty cache. */
async function goDownload(place: Place, way: Way): Promise<void> {
  const { modules } = place.served;
  const folder = join(place.directory, 'go');
  await mkdir(folder);
  const needs = modules.map(({ name }) => `\t${name} v1.0.0`).join('\n');
  await writeFile(join(folder, 'go.mod'), `module project\n\ngo 1.20\n\nrequire (\n${needs}\n)\n`);
  const env = {
    ...process.env,
    ...proxied(way),
    GOPROXY: `https://${originOf(place, 'go.test', way)}`,
    GOSUMDB: 'off',
    GOFLAGS: '-mod=mod -modcacherw',
    GOMODCACHE: join(folder, 'cache'),
    GOTOOLCHAIN: 'local',
  };
  const result = await runCommand('go', ['mod', 'download'], { cwd: folder, env, timeoutMs: 300_000 });
  if (result.code !== 0) throw new Error(result.stderr);
  await rm(folder, { recursive: true });
}

async function copyImage(place: Place, way: Way): Promise<void> {
  const folder = join(place.directory, 'image');
  const from = `docker://${originOf(place, 'image.test', way)}/image:latest`;
  const args = ['--insecure-policy', 'copy', '--src-no-creds', from, `dir:${folder}`];
  const env = { ...process.env, ...proxied(way) };
  const result = await runCommand('skopeo', args, { env, timeoutMs: 300_000 });
  if (result.code !== 0) throw new Error(result.stderr);
  await rm(folder, { recursive: true });
}

const sets: readonly {
  readonly what: string;
  readonly program: string;
  readonly install: (place: Place, way: Way) => Promise<void>;
}[] = [
  { what: 'npm ci', program: 'npm', install: npmCi },
  { what: 'go mod download', program: 'go', install: goDownload },
  { what: 'skopeo copy', program: 'skopeo', install: copyImage },
];

const rulesOf = (port: number): string =>
  Object.entries({ 'npm.test': 'npm', 'go.test': 'go', 'image.test': 'oci' })
    .map(
      ([name, registry]) =>
        `  - { name: ${registry}, hosts: ${name}, ports: ${String(port)}, addresses: 127.0.0.0/8, packages: { registry: ${registry}, index: "https://${name}:${String(port)}/" } }\n`,
    )
    .join('');

async function oneRound(place: Place, round: number, note: Note): Promise<void> {
  const { served, directory, authority, port } = place;
  const { packages, image } = served;
  const at = `${host}:${String(port)}`;
  const folder = join(directory, `cache-${String(round)}`);
  await using cached = await openTestCache(join(folder, 'archives'), { keepBytes: 1024 ** 3 });
  await using metadata = await openTestMetadata(join(folder, 'metadata'));
  await using path = openRequestPath({
    policy: `rules:\n${rulesOf(port)}`,
    hosts,
    trust: [authority.caPem],
    cache: () => cached.cache,
    metadata: () => metadata.cache,
  });
  await using proxy = await openConnectProxy(path);
  const ca = join(directory, 'ca.pem');
  await writeFile(ca, `${authority.caPem}\n${path.caPem}`);
  await using squid = await cachingSquid(directory, { hosts, caFile: ca, port });
  const squidCa = join(directory, 'squid.pem');
  if (squid !== undefined) await writeFile(squidCa, squid.caPem);
  await using verdaccio = await keepingVerdaccio(folder, place.tools, { caFile: ca, port });
  let stored = 0;
  const known = { 'npm ci': packages.length, 'go mod download': 0, 'skopeo copy': image.blobs.length };
  for (const { what, program, install } of sets) {
    if (!hasProgram(program)) continue;
    await note(`${what}, direct`, () => install(place, { name: 'direct', ca }));
    await note(`${what}, direct without delay`, () =>
      install({ ...place, port: place.near }, { name: 'near', ca }),
    );
    await note(`${what}, cold`, () => install(place, { name: 'cold', ca, proxy: proxy.url }));
    stored += known[what as keyof typeof known];
    await waitUntil('all are stored', () => (cached.counts.get('stored') ?? 0) >= stored);
    await note(`${what}, warm`, () => install(place, { name: 'warm', ca, proxy: proxy.url }));
    if (program === 'npm' && verdaccio !== undefined)
      for (const state of ['cold', 'warm'])
        await note(`${what}, verdaccio ${state}`, () =>
          install(place, { name: 'verdaccio', ca, registry: verdaccio.url }),
        );
    if (squid === undefined) continue;
    const bySquid = { name: 'squid', ca: squidCa, proxy: squid.url };
    await note(`${what}, squid cold`, () => install(place, bySquid));
    await note(`${what}, squid warm`, () => install(place, bySquid));
  }
  for (const [name, agent] of [
    ['direct', directAgent(authority.caPem)],
    ['warm', await proxiedAgent(path, at)],
  ] as const) {
    await note(`fetches, ${name}`, () => fetchAll(packages, agent, port));
    agent.destroy();
  }
}

export async function benchCache(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      packages: { type: 'string', default: '300' },
      rounds: { type: 'string', default: '5' },
      quick: { type: 'boolean', default: false },
      'own-lock': { type: 'boolean', default: false },
    },
  });
  const count = values.quick ? 20 : Number(values.packages);
  const rounds = values.quick ? 1 : Number(values.rounds);
  const packages = Array.from({ length: count }, (_, i) => packageOf(i));
  const modules = Array.from({ length: Math.ceil(count / 5) }, (_, i) => moduleOf(i));
  const image = values.quick ? imageOf(3, 200_000) : imageOf(8, 8_000_000);
  const served = { packages, modules, image };
  const authority = createTestAuthority();
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory()).path;
  const origin = stack.use(await httpsOrigin({ authority, handler: registryOf(served) }));
  const delay = fileURLToPath(new URL('delay-process.ts', import.meta.url));
  const line = spawn(process.execPath, [delay, String(origin.port), '20'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  stack.defer(() => void line.kill());
  const port = Number(/\d+/.exec(await firstLine(line))?.[0]);
  const times: Record<string, number[]> = {};
  const note: Note = async (name, run) => {
    (times[name] ??= []).push(await timed(run));
  };
  const tools = process.env['REGISTRY_TOOLS'] ?? join(directory, 'tools');
  if (values['own-lock']) await benchOwnLock(directory, note);
  for (let round = 0; round < rounds; round += 1)
    await oneRound({ served, directory, authority, tools, port, near: origin.port }, round, note);
  const processors = String(availableParallelism());
  console.log(
    `${String(count)} packages, ${String(modules.length)} modules, ${String(image.blobs.length - 1)} layers, ${String(rounds)} rounds, 20 ms away, ${processors} processors`,
  );
  for (const [name, all] of Object.entries(times)) {
    const direct = times[`${name.slice(0, name.indexOf(','))}, direct`] ?? [];
    const ratio = median(all.map((ms, i) => ms / (direct[i] ?? ms)));
    console.log(`${name}: ${String(Math.round(median(all)))} ms, ${ratio.toFixed(2)} of direct`);
  }
}

function directAgent(ca: string): Agent {
  return new Agent({
    keepAlive: true,
    maxSockets: connections,
    ca,
    lookup: (_, __, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
  });
}

/** Whose connections are streams of the request path. */
async function proxiedAgent(path: RequestPath, at: string): Promise<Agent> {
  const sockets = await Promise.all(
    Array.from({ length: connections }, () => path.tls(at, { alpn: ['http/1.1'] })),
  );
  return new (class extends Agent {
    override createConnection(): ReturnType<Agent['createConnection']> {
      const socket = sockets.pop();
      if (socket === undefined) throw new Error('a connection too much');
      return socket;
    }
  })({ keepAlive: true, maxSockets: connections });
}
