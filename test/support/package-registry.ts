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
  /** Demanded with 401. */
  readonly expectedAuthorization?: string;
}): Promise<Origin> {
  const { authority, publicUrl, name, expectedAuthorization: expected } = options;
  const tarball = await pack(name);
  const file = `${name}-1.0.0.tgz`;
  const dist = {
    tarball: `${publicUrl}${name}/-/${file}`,
    integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
  };
  const packument = {
    name,
    'dist-tags': { latest: '1.0.0' },
    versions: { '1.0.0': { name, version: '1.0.0', dist } },
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

async function pack(name: string): Promise<Buffer> {
  await using directory = await temporaryDirectory();
  const source = join(directory.path, name);
  await mkdir(source);
  await writeFile(join(source, 'package.json'), JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
  await writeFile(join(source, 'index.js'), "module.exports = 'hello';\n");
  const args = ['pack', '--ignore-scripts', '--silent', '--offline', '--pack-destination', directory.path];
  await mustRun('npm', args, { cwd: source });
  return await readFile(join(directory.path, `${name}-1.0.0.tgz`));
}
