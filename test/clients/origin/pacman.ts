// A repository of pacman: its database with one package.

import { tarGz } from './archive.ts';
import type { OriginHandler } from './handler.ts';
import { binary, staticFiles } from './handler.ts';

export function pacmanRepository(): OriginHandler {
  const fields = {
    FILENAME: 'example-package-1.0-1-any.pkg.tar.gz',
    NAME: 'example-package',
    VERSION: '1.0-1',
    DESC: 'An example',
    CSIZE: '1',
    ISIZE: '1',
    ARCH: 'any',
  };
  const description = Object.entries(fields)
    .map(([name, value]) => `%${name}%\n${value}\n\n`)
    .join('');
  return staticFiles({ '/fixture.db': binary(tarGz({ 'example-package-1.0-1/desc': description })) });
}
