// A registry of cargo: a sparse index at the root, and archives below `/crates`. What is withdrawn is yanked.

import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { tarGz } from '../../../clients/origin/archive.ts';
import { contentOf, isGone, type ServedPackage, timeOut } from './served-package.ts';

export function cargoIndex(packages: readonly ServedPackage[], origin: () => string): RequestListener {
  return (request, response) => {
    const path = request.url ?? '';
    if (path === '/config.json') return void response.end(JSON.stringify({ dl: `${origin()}/crates` }));
    for (const { name, versions } of packages) {
      const file = versions.find(({ version }) => path === `/crates/${name}/${version}/download`);
      if (file !== undefined) return void response.end(crateOf(name, file.version, contentOf(file)));
      if (path !== `/${name.slice(0, 2)}/${name.slice(2, 4)}/${name}`) continue;
      const lines = versions.map((one) =>
        JSON.stringify({
          name,
          vers: one.version,
          deps: [],
          cksum: createHash('sha256')
            .update(crateOf(name, one.version, 'complete'))
            .digest('hex'),
          features: {},
          yanked: isGone(one),
          pubtime: timeOut(one).replace(/\.\d+Z$/, 'Z'),
        }),
      );
      return void response.end(`${lines.join('\n')}\n`);
    }
    response.writeHead(404).end();
  };
}

function crateOf(name: string, version: string, content: string): Buffer {
  return tarGz({
    [`${name}-${version}/Cargo.toml`]: `[package]\nname = "${name}"\nversion = "${version}"\nedition = "2021"\n`,
    [`${name}-${version}/src/lib.rs`]: `pub fn ${content}() {}\n`,
  });
}
