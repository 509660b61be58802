// A repository of opam with one package.

import { tarGz } from './archive.ts';
import type { OriginHandler } from './handler.ts';
import { binary, staticFiles, text } from './handler.ts';

export function opamRepository(): OriginHandler {
  const repository = 'opam-version: "2.0"\n';
  const description = `opam-version: "2.0"
synopsis: "hello from opam"
maintainer: "example@example.com"
`;
  const index = tarGz({
    repo: repository,
    'packages/example-package/example-package.1.0/opam': description,
  });
  return staticFiles({ '/repo': text(repository), '/index.tar.gz': binary(index, 'application/gzip') });
}
