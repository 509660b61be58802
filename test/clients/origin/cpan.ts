// CPAN with one distribution of Perl.

import { gzipSync } from 'node:zlib';

import { tarGz } from './archive.ts';
import type { OriginHandler } from './handler.ts';
import { binary, staticFiles } from './handler.ts';

export function cpanMirror(): OriginHandler {
  const folder = 'Example-Module-1.0';
  const archive = tarGz({
    [`${folder}/Makefile.PL`]:
      "use ExtUtils::MakeMaker;\nWriteMakefile(NAME => 'Example::Module', VERSION => '1.0');\n",
    [`${folder}/lib/Example/Module.pm`]:
      "package Example::Module;\nour $VERSION = '1.0';\nsub hello { 'hello from cpan' }\n1;\n",
    [`${folder}/MANIFEST`]: 'MANIFEST\nMakefile.PL\nlib/Example/Module.pm\n',
  });
  const packages = `File:         02packages.details.txt
Columns:      package name, version, path
Line-Count:   1

Example::Module                   1.0  E/EX/EXAMPLE/${folder}.tar.gz
`;
  return staticFiles({
    '/modules/02packages.details.txt.gz': binary(gzipSync(packages), 'application/gzip'),
    [`/authors/id/E/EX/EXAMPLE/${folder}.tar.gz`]: binary(archive, 'application/gzip'),
  });
}
