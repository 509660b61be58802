// Hackage, without signatures, with one package of Haskell.

import { tarGz } from './archive.ts';
import type { OriginHandler } from './handler.ts';
import { binary, staticFiles } from './handler.ts';

export function hackageServer(): OriginHandler {
  const description = 'name: example-package\nversion: 1.0\nbuild-type: Simple\ncabal-version: >=1.10\n';
  const folder = 'example-package-1.0';
  const archive = tarGz({
    [`${folder}/example-package.cabal`]: description,
    [`${folder}/README`]: 'hello from hackage\n',
  });
  const index = tarGz({ 'example-package/1.0/example-package.cabal': description });
  return staticFiles({
    '/00-index.tar.gz': binary(index, 'application/gzip'),
    '/package/example-package-1.0.tar.gz': binary(archive, 'application/gzip'),
    '/package/example-package-1.0/example-package-1.0.tar.gz': binary(archive, 'application/gzip'),
  });
}
