// Peers from npm, installed for the run by npm's own configuration; they are no dependencies.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { firstLine, mustRun, runtimeFile, stop } from '../child.ts';
import { originHost } from '../contenders.ts';
import type { Peer, PeerPlace, StartedPeer } from './peer.ts';

const script = fileURLToPath(new URL('../peer-process.ts', import.meta.url));
const sandboxRuntime = '@anthropic-ai/sandbox-runtime';
const npmPeerPackages = [sandboxRuntime, 'mockttp'] as const;

/** Installs them into the folder, where they are not there already; scripts of packages are not run. */
export async function installNpmPeers(folder: string): Promise<PeerPlace['packages']> {
  if (npmPeerPackages.every((name) => existsSync(join(folder, 'node_modules', name)))) return { folder };
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'package.json'), '{ "private": true }\n');
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    await mustRun('npm', ['install', ...options, ...npmPeerPackages], { cwd: folder });
    return { folder };
  } catch (error) {
    return { problem: `npm could not install it: ${String(error).slice(0, 200)}` };
  }
}

export const npmPeers: readonly Peer[] = [
  {
    name: 'sandbox-runtime',
    facts: {
      endsTls: 'yes, RSA leaves',
      policy: 'allowed hosts, a filter for requests',
      credentials: 'masked ones replaced',
      audit: 'of what was denied, in memory',
    },
    start: (place) => startPackage('sandbox-runtime', sandboxRuntime, place),
  },
  {
    name: 'mockttp',
    facts: {
      endsTls: 'yes, RSA leaves',
      policy: 'no: rules of a test',
      credentials: 'a header replaced',
      audit: 'events for who subscribes',
    },
    start: (place) => startPackage('mockttp', 'mockttp', place),
  },
];

async function startPackage(
  name: string,
  packageName: string,
  { directory, origin, packages }: PeerPlace,
): Promise<StartedPeer | string> {
  if ('problem' in packages) return packages.problem;
  const child = spawn(
    runtimeFile('node'),
    ['--disable-warning=ExperimentalWarning', script, name, packages.folder, directory, origin.caFile],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_EXTRA_CA_CERTS: origin.caFile } },
  );
  try {
    // The process writes nothing else.
    const { port, caPem } = JSON.parse(await firstLine(child)) as { port: number; caPem: string };
    const manifest = await readFile(
      join(packages.folder, 'node_modules', packageName, 'package.json'),
      'utf8',
    );
    return {
      version: /"version": *"([^"]+)"/.exec(manifest)?.[1],
      contender: {
        name,
        to: { proxyPort: port, originPort: origin.port, host: originHost, caPem },
        pids: () => ({ peer: [child.pid ?? 0] }),
        [Symbol.asyncDispose]: () => stop(child),
      },
    };
  } catch (error) {
    await stop(child);
    return `it does not start here: ${String(error).slice(0, 200)}`;
  }
}
