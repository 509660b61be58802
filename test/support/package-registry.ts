// A registry for npm with one package, which `npm pack` made.

import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { mustRun } from './command.ts';
import { httpsOrigin, type Origin } from './origin.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import type { TestAuthority } from './test-authority.ts';

/** Serves version 1.0.0 of `name` under `publicUrl`, which ends with a slash; advisories are none. */
export async function packageRegistry(options: {
  readonly authority: TestAuthority;
  readonly publicUrl: string;
  readonly name: string;
  /** A script for sh that it brings as a command of its name. */
  readonly command?: string;
  /** Demanded with 401. */
  readonly expectedAuthorization?: string;
}): Promise<Origin> {
  const { authority, publicUrl, name, command, expectedAuthorization: expected } = options;
  const bin = command === undefined ? {} : { bin: { [name]: 'command.sh' } };
  const manifest = { name, version: '1.0.0', main: 'index.js', ...bin };
  const tarball = await pack(manifest, command);
  const file = `${name}-1.0.0.tgz`;
  const dist = {
    tarball: `${publicUrl}${name}/-/${file}`,
    integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
  };
  const packument = {
    name,
    'dist-tags': { latest: '1.0.0' },
    versions: { '1.0.0': { ...manifest, dist } },
  };
  const responses: Readonly<Record<string, Buffer>> = {
    [`/${name}`]: Buffer.from(JSON.stringify(packument)),
    [`/${name}/-/${file}`]: tarball,
    '/-/npm/v1/security/advisories/bulk': Buffer.from('{}'),
  };
  return await httpsOrigin({
    authority,
    handler: (request, response) => {
      const isOpen = expected === undefined || request.headers.authorization === expected;
      const body = responses[request.url ?? ''];
      if (!isOpen) return void response.writeHead(401).end('{"error":"unauthorized"}');
      response.writeHead(body === undefined ? 404 : 200, {
        'content-type': request.url?.endsWith('.tgz') === true ? 'application/gzip' : 'application/json',
      });
      response.end(body ?? '{"error":"not found"}');
    },
  });
}

async function pack(manifest: { readonly name: string }, command?: string): Promise<Buffer> {
  const { name } = manifest;
  await using directory = await temporaryDirectory();
  const source = join(directory.path, name);
  await mkdir(source);
  await writeFile(join(source, 'package.json'), JSON.stringify(manifest));
  if (command !== undefined) await writeFile(join(source, 'command.sh'), command, { mode: 0o755 });
  await writeFile(join(source, 'index.js'), "module.exports = 'hello';\n");
  const args = ['pack', '--ignore-scripts', '--silent', '--offline', '--pack-destination', directory.path];
  await mustRun('npm', args, { cwd: source });
  return await readFile(join(directory.path, `${name}-1.0.0.tgz`));
}
