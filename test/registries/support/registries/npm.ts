// A registry of npm as the public one responds, with versions of any age, and whatever is wrong with them.

import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { tarGz } from '../../../clients/origin/archive.ts';
import { contentOf, isGone, type ServedPackage, type ServedVersion } from './served-package.ts';

const dayMs = 86_400_000;

/** What is withdrawn is not there any more. Both forms of metadata, archives, and what clients ask for beside them. `origin`: as clients reach it. */
export function npmRegistry(packages: readonly ServedPackage[], origin: () => string): RequestListener {
  return (request, response) => {
    const path = decodeURIComponent((request.url ?? '').split('?', 1)[0] ?? '');
    const served = packages.find(({ name }) => path === `/${name}` || path.startsWith(`/${name}/`));
    const named = served && { ...served, versions: served.versions.filter((one) => !isGone(one)) };
    if (named === undefined)
      return void response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
    const file = named.versions.find((one) => path === archivePath(named.name, one.version));
    if (file !== undefined) {
      return void response
        .writeHead(200, { 'content-type': 'application/octet-stream' })
        .end(archiveOf(named.name, file.version, contentOf(file)));
    }
    if (path !== `/${named.name}`) return void response.writeHead(404).end('{}');
    const isShort = (request.headers.accept ?? '').includes('application/vnd.npm.install-v1+json');
    const body = JSON.stringify(isShort ? shortForm(named, origin()) : fullForm(named, origin()));
    const etag = `"${createHash('sha1').update(body).digest('hex')}"`;
    const type = isShort ? 'application/vnd.npm.install-v1+json' : 'application/json';
    const fields = { etag, 'content-type': type, 'cache-control': 'public, max-age=300', vary: 'Accept' };
    if (request.headers['if-none-match'] === etag) response.writeHead(304, fields).end();
    else response.writeHead(200, fields).end(body);
  };
}

const archivePath = (name: string, version: string): string => `/${name}/-/${name}-${version}.tgz`;

function archiveOf(name: string, version: string, content: string): Buffer {
  return tarGz({
    'package/package.json': JSON.stringify({ name, version, main: 'index.js', license: 'MIT' }),
    'package/index.js': `module.exports = ${JSON.stringify(`${name}@${version} ${content}`)};\n`,
  });
}

function manifestOf({ name }: ServedPackage, { version }: ServedVersion, origin: string): object {
  const archive = archiveOf(name, version, 'complete');
  const dist = {
    shasum: createHash('sha1').update(archive).digest('hex'),
    integrity: `sha512-${createHash('sha512').update(archive).digest('base64')}`,
    tarball: `${origin}${archivePath(name, version)}`,
  };
  return { name, version, main: 'index.js', license: 'MIT', dist };
}

function common(served: ServedPackage, origin: string): object {
  const { name, versions } = served;
  const latest = versions.at(-1)?.version;
  return {
    name,
    'dist-tags': { latest },
    versions: Object.fromEntries(versions.map((one) => [one.version, manifestOf(served, one, origin)])),
  };
}

const timeOf = (daysOut: number): string => new Date(Date.now() - daysOut * dayMs).toISOString();

const shortForm = (served: ServedPackage, origin: string): object => ({
  ...common(served, origin),
  modified: timeOf(0),
});

const fullForm = (served: ServedPackage, origin: string): object => ({
  _id: served.name,
  ...common(served, origin),
  time: {
    created: timeOf(900),
    modified: timeOf(0),
    ...Object.fromEntries(served.versions.map(({ version, daysOut }) => [version, timeOf(daysOut)])),
  },
});
