// A registry of cargo with a sparse index.

import { createHash } from 'node:crypto';

import { tarGz } from './archive.ts';
import type { OriginHandler } from './handler.ts';
import { binary, text } from './handler.ts';

/** The sources of `example-crate`, for the registry and for git. */
export const crateFiles = {
  'Cargo.toml': '[package]\nname = "example-crate"\nversion = "1.0.0"\nedition = "2021"\n',
  'src/lib.rs': 'pub fn hello() -> &\'static str {\n    "hello from crates"\n}\n',
};

export function crateRegistry(): OriginHandler {
  const archive = tarGz(
    Object.fromEntries(
      Object.entries(crateFiles).map(([path, content]) => [`example-crate-1.0.0/${path}`, content]),
    ),
  );
  const entry = {
    name: 'example-crate',
    vers: '1.0.0',
    deps: [],
    cksum: createHash('sha256').update(archive).digest('hex'),
    features: {},
    yanked: false,
  };
  return ({ path, base }) => {
    switch (path) {
      case '/index/config.json':
        return { body: { dl: `${base}/api/v1/crates`, api: base } };
      case '/index/ex/am/example-crate':
        return text(`${JSON.stringify(entry)}\n`);
      case '/api/v1/crates/example-crate/1.0.0/download':
        return binary(archive);
      default:
        return undefined;
    }
  };
}
