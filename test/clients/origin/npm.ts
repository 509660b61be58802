// A registry of npm with the smallest packages: a library, a command, one that fetches when it is installed, and a package
// manager as corepack fetches it.

import { createHash } from 'node:crypto';

import type { ArchiveFiles } from './archive.ts';
import { tarGz } from './archive.ts';
import type { OriginHandler } from './handler.ts';
import { binary } from './handler.ts';

const command = "#!/usr/bin/env node\nconsole.log('hello from npm');\n";
/** As packages do that bring a program for each machine: what came is printed by the package. */
const fetchProgram = `const https = require('node:https');
const file = require('node:fs').createWriteStream(require('node:path').join(__dirname, 'fetched'));
https.get(process.env.EXAMPLE_BINARY_URL, (response) => response.pipe(file));
`;

interface ExamplePackage {
  readonly name: string;
  readonly version: string;
  /** What the manifest has beside name, version, description and license. */
  readonly manifest: Readonly<Record<string, unknown>>;
  readonly files: ArchiveFiles;
}

const packages: readonly ExamplePackage[] = [
  {
    name: 'example-package',
    version: '1.0.0',
    manifest: { main: 'index.js' },
    files: { 'package/index.js': "module.exports = 'hello from npm';\n" },
  },
  {
    name: 'example-command',
    version: '1.0.0',
    manifest: { bin: { 'example-command': 'command.js' } },
    files: { 'package/command.js': command },
  },
  {
    name: 'example-binary',
    version: '1.0.0',
    manifest: { main: 'index.js', scripts: { postinstall: 'node fetch.js' } },
    files: {
      'package/fetch.js': fetchProgram,
      'package/index.js':
        "module.exports = require('node:fs').readFileSync(`${__dirname}/fetched`, 'utf8');\n",
    },
  },
  {
    name: 'pnpm',
    version: '9.0.0',
    manifest: { bin: { pnpm: 'bin/pnpm.cjs' } },
    files: { 'package/bin/pnpm.cjs': command },
  },
];

export function npmRegistry(): OriginHandler {
  const handlers = packages.map(servePackage);
  return async (request) => {
    if (request.method === 'PUT') return { status: 201, body: { ok: true } };
    if (request.path === '/-/ping' || request.path === '/-/npm/v1/security/advisories/bulk')
      return { body: {} };
    for (const handler of handlers) {
      const response = await handler(request);
      if (response !== undefined) return response;
    }
    return undefined;
  };
}

function servePackage({ name, version, manifest, files }: ExamplePackage): OriginHandler {
  const whole = { name, version, description: 'An example.', license: 'MIT', ...manifest };
  const archive = tarGz({ 'package/package.json': JSON.stringify(whole), ...files });
  const dist = {
    shasum: createHash('sha1').update(archive).digest('hex'),
    integrity: `sha512-${createHash('sha512').update(archive).digest('base64')}`,
  };
  const file = `/${name}/-/${name}-${version}.tgz`;
  const scripts = 'scripts' in manifest ? { hasInstallScript: true } : {};
  return ({ path, base }) => {
    const described = { ...whole, ...scripts, dist: { ...dist, tarball: `${base}${file}` } };
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
      default:
        return undefined;
    }
  };
}
