// A registry of npm by other makers, on this machine, with nothing above it.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tarGz } from '../../clients/origin/archive.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { patienceMs } from '../../support/patience.ts';
import { freePort } from '../../support/free-port.ts';
import { endChild } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { fetchedFile } from './clients/registry-client.ts';

export interface Verdaccio extends AsyncDisposable {
  readonly url: string;
  /** `marker` stands in its metadata and in its archive. */
  publish(
    name: string,
    versions: readonly { readonly version: string; readonly marker: string }[],
  ): Promise<void>;
}

/** Undefined: it was not fetched. */
export async function startVerdaccio(): Promise<Verdaccio | undefined> {
  const program = fetchedFile('verdaccio/bin/verdaccio');
  if (program === undefined) return undefined;
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryDirectory()).path;
  const port = await freePort();
  const config = join(folder, 'config.yaml');
  await writeFile(
    config,
    `storage: ${folder}/storage
uplinks: {}
packages: { '**': { access: $all, publish: $all, unpublish: $all } }
web: { enable: false }
log: { type: stdout, format: json, level: fatal }
max_body_size: 10mb
`,
  );
  const args = [program, '--config', config, '--listen', `http://127.0.0.1:${String(port)}`];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: 'ignore' });
  stack.defer(() => endChild(child));
  const url = `http://127.0.0.1:${String(port)}`;
  const signal = AbortSignal.timeout(patienceMs);
  while ((await fetch(`${url}/-/ping`).catch(() => undefined))?.ok !== true)
    await delay(50, undefined, { signal });
  const owned = stack.move();
  return {
    url,
    publish: async (name, versions) => {
      for (const { version, marker } of versions) await publish(url, name, version, marker);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function publish(url: string, name: string, version: string, marker: string): Promise<void> {
  const manifest = { name, version, description: marker, license: 'MIT' };
  const archive = tarGz({
    'package/package.json': JSON.stringify(manifest),
    'package/index.js': `// ${marker}\n`,
  });
  const file = `${name.split('/').at(-1) ?? ''}-${version}.tgz`;
  const dist = {
    shasum: createHash('sha1').update(archive).digest('hex'),
    integrity: `sha512-${createHash('sha512').update(archive).digest('base64')}`,
    tarball: `${url}/${name}/-/${file}`,
  };
  const body = {
    _id: name,
    name,
    'dist-tags': { latest: version },
    versions: { [version]: { ...manifest, _id: `${name}@${version}`, dist } },
    _attachments: {
      [`${name}-${version}.tgz`]: {
        content_type: 'application/octet-stream',
        data: archive.toString('base64'),
        length: archive.length,
      },
    },
  };
  const response = await fetch(`${url}/${name.replace('/', '%2f')}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok)
    throw new Error(`${name}@${version}: ${String(response.status)} ${await response.text()}`);
}
