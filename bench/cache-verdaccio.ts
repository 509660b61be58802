// Verdaccio as a registry that keeps what its own registry has, as its documentation configures an uplink. It comes from npm for the run.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { accepts, freePort, mustRun, stop } from './child.ts';

export interface KeepingRegistry extends AsyncDisposable {
  readonly url: string;
}

/** Undefined: it cannot be had. @param tools where it is, or is put */
export async function keepingVerdaccio(
  directory: string,
  tools: string,
  { caFile, port: originPort }: { readonly caFile: string; readonly port: number },
): Promise<KeepingRegistry | undefined> {
  await mkdir(tools, { recursive: true });
  const program = join(tools, 'node_modules/verdaccio/bin/verdaccio');
  if (!existsSync(program) && !(await install(tools))) return undefined;
  await using stack = new AsyncDisposableStack();
  const home = join(directory, 'verdaccio');
  await mkdir(home, { recursive: true });
  const port = await freePort();
  const file = join(home, 'config.yaml');
  await writeFile(
    file,
    `storage: ${home}/storage
uplinks:
  origin: { url: "https://127.0.0.1:${originPort}/", timeout: 30s }
packages:
  '**': { access: $all, proxy: origin }
log: { type: file, path: ${home}/log, level: error }
`,
  );
  const child = spawn(process.execPath, [program, '-c', file, '-l', `127.0.0.1:${port}`], {
    stdio: 'ignore',
    env: { ...process.env, NODE_EXTRA_CA_CERTS: caFile },
  });
  stack.defer(() => stop(child));
  await accepts(port, child);
  const owned = stack.move();
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function install(tools: string): Promise<boolean> {
  // It asks for another package by a tag, which not every registry has.
  const manifest = { private: true, overrides: { 'node-fetch': '2.6.7' } };
  await writeFile(join(tools, 'package.json'), JSON.stringify(manifest));
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  try {
    await mustRun('npm', ['install', ...options, 'verdaccio@6.10.4'], { cwd: tools });
    return true;
  } catch {
    return false;
  }
}
