// A Debian archive with one package. It is not signed: clients have to trust it by its URL.

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

import { ar, tarGz } from './archive.ts';
import type { OriginHandler } from './handler.ts';
import { binary, staticFiles, text } from './handler.ts';

const poolPath = 'pool/main/e/example-package/example-package_1.0_all.deb';
const sum = (name: string, bytes: string | Uint8Array): string =>
  createHash(name).update(bytes).digest('hex');

export function debianArchive(): OriginHandler {
  const control = `Package: example-package
Version: 1.0
Architecture: all
Maintainer: Test <test@example.com>
Description: An example
`;
  const deb = ar({
    'debian-binary': '2.0\n',
    'control.tar.gz': tarGz({ './control': control }),
    'data.tar.gz': tarGz({ './usr/share/example-package/hello.txt': 'hello from apt\n' }),
  });
  const packages = `${control.trimEnd()}
Filename: ${poolPath}
Size: ${deb.length}
SHA256: ${sum('sha256', deb)}

`;
  const packed = gzipSync(packages);
  const indexes: Record<string, string | Buffer> = {};
  for (const architecture of ['all', 'amd64', 'arm64']) {
    indexes[`main/binary-${architecture}/Packages`] = packages;
    indexes[`main/binary-${architecture}/Packages.gz`] = packed;
  }
  const rows = Object.entries(indexes).map(
    ([path, content]) => ` ${sum('sha256', content)} ${Buffer.byteLength(content)} ${path}`,
  );
  const release = `Origin: example
Label: example
Suite: stable
Codename: stable
Date: Wed, 01 Jan 2020 00:00:00 UTC
Architectures: all amd64 arm64
Components: main
SHA256:
${rows.join('\n')}
`;
  return staticFiles({
    '/debian/dists/stable/Release': text(release),
    ...Object.fromEntries(
      Object.entries(indexes).map(([path, content]) => [
        `/debian/dists/stable/${path}`,
        binary(Buffer.from(content as Buffer)),
      ]),
    ),
    [`/debian/${poolPath}`]: binary(deb),
  });
}
