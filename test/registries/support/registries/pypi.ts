// An index of PyPI: `/simple/NAME/` as JSON and HTML, and wheels. What is withdrawn is yanked.

import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { zip } from '../../../clients/origin/archive.ts';
import { contentOf, isGone, type ServedPackage, type ServedVersion, timeOut } from './served-package.ts';

const wheelName = (name: string, version: string): string => `${name}-${version}-py3-none-any.whl`;

export function pypiIndex(packages: readonly ServedPackage[], origin: () => string): RequestListener {
  return (request, response) => {
    const path = request.url ?? '';
    for (const { name, versions } of packages) {
      const file = versions.find(({ version }) => path.endsWith(`/${wheelName(name, version)}`));
      if (file !== undefined) return void response.end(wheelOf(name, file.version, contentOf(file)));
      if (path !== `/simple/${name}/`) continue;
      const urlOf = (version: string): string => `${origin()}/packages/aa/bb/cc/${wheelName(name, version)}`;
      if (!(request.headers.accept ?? '').includes('application/vnd.pypi.simple.v1+json')) {
        const links = versions.map(
          ({ version }) => `<a href="${urlOf(version)}">${wheelName(name, version)}</a>`,
        );
        response.writeHead(200, { 'content-type': 'text/html' });
        return void response.end(`<!DOCTYPE html><html><body>${links.join('')}</body></html>`);
      }
      const files = versions.map((one) => fileOf(name, one, urlOf(one.version)));
      response.writeHead(200, { 'content-type': 'application/vnd.pypi.simple.v1+json' });
      return void response.end(JSON.stringify({ meta: { 'api-version': '1.1' }, name, files }));
    }
    response.writeHead(404).end();
  };
}

function fileOf(name: string, one: ServedVersion, url: string): object {
  const wheel = wheelOf(name, one.version, 'complete');
  return {
    filename: wheelName(name, one.version),
    url,
    hashes: { sha256: createHash('sha256').update(wheel).digest('hex') },
    'upload-time': timeOut(one),
    ...(isGone(one) ? { yanked: 'its author took it back' } : {}),
  };
}

function wheelOf(name: string, version: string, content: string): Buffer {
  const info = `${name}-${version}.dist-info`;
  const files: Readonly<Record<string, string>> = {
    [`${name}.py`]: `VERSION = ${JSON.stringify(version)} # ${content}\n`,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: example\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
  };
  const rows = Object.entries(files).map(([path, text]) => {
    const hash = createHash('sha256').update(text).digest('base64url');
    return `${path},sha256=${hash},${String(Buffer.byteLength(text))}\n`;
  });
  return zip({ ...files, [`${info}/RECORD`]: `${rows.join('')}${info}/RECORD,,\n` });
}
