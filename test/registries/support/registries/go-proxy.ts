// A proxy of Go modules below example.test. What is withdrawn is retracted by a version that came after it.

import type { RequestListener } from 'node:http';
import { zip } from '../../../clients/origin/archive.ts';
import { contentOf, isGone, type ServedPackage, type ServedVersion, timeOut } from './served-package.ts';

export const goModule = (name: string): string => `example.test/${name}`;
/** The version by which another one is retracted. */
export const retracting = '1.1.1';

export function goProxy(packages: readonly ServedPackage[]): RequestListener {
  return (request, response) => {
    const [, name = '', file = ''] =
      /^\/example\.test\/([a-z]+)\/@(v\/.+|latest)$/.exec(request.url ?? '') ?? [];
    const found = packages.find((one) => one.name === name);
    if (found === undefined) return void response.writeHead(404).end('not found');
    const gone = found.versions.filter((one) => isGone(one));
    const last = { version: retracting, daysOut: 200 };
    const versions = gone.length === 0 ? found.versions : [...found.versions, last];
    if (file === 'v/list') return void response.end(versions.map(({ version }) => `v${version}\n`).join(''));
    const served = versions.find(({ version }) => file.startsWith(`v/v${version}.`));
    if (served === undefined) return void response.writeHead(404).end('not found');
    const goMod = goModOf(name, served.version === retracting ? gone : []);
    if (file.endsWith('.info'))
      response.end(JSON.stringify({ Version: `v${served.version}`, Time: timeOut(served) }));
    else if (file.endsWith('.mod')) response.end(goMod);
    else response.end(zipOf(name, served, goMod));
  };
}

function goModOf(name: string, gone: readonly ServedVersion[]): string {
  const retracted = [...gone, ...(gone.length === 0 ? [] : [{ version: retracting }])];
  return `module ${goModule(name)}\n\ngo 1.20\n${retracted.map(({ version }) => `\nretract v${version} // its author took it back\n`).join('')}`;
}

function zipOf(name: string, served: ServedVersion, goMod: string): Buffer {
  const folder = `${goModule(name)}@v${served.version}`;
  return zip({
    [`${folder}/go.mod`]: goMod,
    [`${folder}/library.go`]: `package library // ${contentOf(served)}\n`,
  });
}
