// CRAN with one source package of R.

import { tarGz } from './archive.ts';
import type { OriginHandler } from './handler.ts';
import { binary, staticFiles, text } from './handler.ts';

export function cranMirror(): OriginHandler {
  const description = [
    'Package: examplePackage',
    'Version: 1.0',
    'Title: An Example',
    'Description: Greets.',
    'Author: Example',
    'Maintainer: Example <example@example.com>',
    'License: MIT',
    'NeedsCompilation: no',
    '',
  ].join('\n');
  const archive = tarGz({
    // Without this line R takes it for a source that was never built.
    'examplePackage/DESCRIPTION': `${description}Packaged: 2020-01-01 00:00:00 UTC; example\n`,
    'examplePackage/NAMESPACE': 'export(hello)\n',
    'examplePackage/R/hello.R': 'hello <- "hello from cran"\n',
  });
  return staticFiles({
    '/src/contrib/PACKAGES': text(description),
    '/src/contrib/examplePackage_1.0.tar.gz': binary(archive, 'application/gzip'),
  });
}
