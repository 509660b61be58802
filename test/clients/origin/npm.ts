// A registry of npm with one package.

import { createHash } from 'node:crypto';

import { tarGz } from './archive.ts';
import type { OriginHandler } from './handler.ts';
import { binary } from './handler.ts';

const name = 'example-package';
const version = '1.0.0';
const manifest = { name, version, description: 'An example.', license: 'MIT', main: 'index.js' };

export function npmRegistry(): OriginHandler {
  const archive = tarGz({
    'package/package.json': JSON.stringify(manifest),
    'package/index.js': "module.exports = 'hello from npm';\n",
  });
  const dist = {
    shasum: createHash('sha1').update(archive).digest('hex'),
    integrity: `sha512-${createHash('sha512').update(archive).digest('base64')}`,
  };
  const file = `/${name}/-/${name}-${version}.tgz`;
  return ({ method, path, base }) => {
    const described = { ...manifest, dist: { ...dist, tarball: `${base}${file}` } };
    if (method === 'PUT') return { status: 201, body: { ok: true } };
    switch (decodeURIComponent(path)) {
      case `/${name}`:
        return {
          body: {
            _id: name,
            name,
            'dist-tags': { latest: version },
            versions: { [version]: described },
            // Older than any wait for new versions that a client may have.
            time: {
              created: '2020-01-01T00:00:00.000Z',
              modified: '2020-01-01T00:00:00.000Z',
              [version]: '2020-01-01T00:00:00.000Z',
            },
          },
        };
      case `/${name}/${version}`:
      case `/${name}/latest`:
        return { body: described };
      case file:
        return binary(archive);
      case '/-/ping':
        return { body: {} };
      case '/-/npm/v1/security/advisories/bulk':
        return { body: {} };
      default:
        return undefined;
    }
  };
}
