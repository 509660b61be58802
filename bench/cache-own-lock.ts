// `npm ci` of this project's own lock file, from the registry that npm is configured with: straight from there, and through a gateway with an empty
// and a filled cache. What that registry is called is asked from npm, and written nowhere.

import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { openTestCache } from '../test/gateway/support/cache-scene.ts';
import { openConnectProxy } from '../test/gateway/support/connect-proxy.ts';
import { openTestMetadata } from '../test/gateway/support/metadata-scene.ts';
import { openRequestPath } from '../test/gateway/support/request-path.ts';
import { runCommand } from '../test/support/command.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** A near port that leads to the registry, so that the path under test needs no names of the world. */
async function openLine(host: string, port: number): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((near) => {
    const far = connect(port, host);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => other.destroy());
      one.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // Listening on a port, not on a path.
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await Promise.resolve();
    },
  };
}

/** Undefined: npm has none that is asked by TLS. */
function configured(): URL | undefined {
  const { stdout } = spawnSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8', cwd: '/' });
  const url = URL.parse(stdout.trim());
  return url?.protocol === 'https:' ? url : undefined;
}

export async function benchOwnLock(
  directory: string,
  note: (name: string, run: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const registry = configured();
  if (registry === undefined) return;
  const { hostname: host, port: said, pathname } = registry;
  await using line = await openLine(host, said === '' ? 443 : Number(said));
  const at = `${host}:${String(line.port)}`;
  const folder = join(directory, 'own-lock');
  await using cached = await openTestCache(join(folder, 'archives'), { keepBytes: 4 * 1024 ** 3 });
  await using metadata = await openTestMetadata(join(folder, 'metadata'), { keepBytes: 1024 ** 3 });
  const index = `https://${at}${pathname}`;
  await using path = openRequestPath({
    policy: `rules:\n  - { name: npm, hosts: "${host}", ports: ${String(line.port)}, addresses: 127.0.0.0/8, packages: { registry: npm, index: "${index}" } }\n`,
    hosts: [host],
    // Also those that Node is told of by its environment.
    trust: getCACertificates('default'),
    cache: () => cached.cache,
    metadata: () => metadata.cache,
  });
  await using proxy = await openConnectProxy(path);
  const ca = join(folder, 'ca.pem');
  await writeFile(ca, path.caPem);
  const install = async (name: string, env: Readonly<Record<string, string>>): Promise<void> => {
    const project = join(folder, name);
    await mkdir(project);
    for (const file of ['package.json', 'package-lock.json'])
      await copyFile(join(root, file), join(project, file));
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const result = await runCommand('npm', args, {
      cwd: project,
      env: { ...process.env, npm_config_cache: join(project, '.cache'), ...env },
      timeoutMs: 600_000,
    });
    // What npm says of it has the name of the registry.
    if (result.code !== 0) throw new Error(`npm ci ended with ${String(result.code)}`);
    await rm(project, { recursive: true });
  };
  const through = {
    NODE_EXTRA_CA_CERTS: ca,
    npm_config_registry: index,
    npm_config_replace_registry_host: 'always',
    npm_config_https_proxy: proxy.url,
    npm_config_noproxy: '',
  };
  await note('own lock, direct', () => install('direct', {}));
  await note('own lock, cold', () => install('cold', through));
  await note('own lock, warm', () => install('warm', through));
  const { counts } = cached;
  const of = (name: 'hit' | 'stored' | 'passed'): string => `${String(counts.get(name) ?? 0)} ${name}`;
  console.log(`own lock: archives ${of('stored')}, ${of('hit')}, ${of('passed')}`);
}
