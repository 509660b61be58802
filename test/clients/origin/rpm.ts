// A repository of RPM packages: its metadata with one package.

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

import type { OriginHandler } from './handler.ts';
import { binary, staticFiles, text } from './handler.ts';

export function rpmRepository(): OriginHandler {
  const primary = gzipSync(`<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="1">
<package type="rpm">
  <name>example-package</name><arch>noarch</arch><version epoch="0" ver="1.0" rel="1"/>
  <checksum type="sha256" pkgid="YES">${'0'.repeat(64)}</checksum>
  <summary>An example</summary><description>An example</description>
  <packager/><url/><time file="1577836800" build="1577836800"/><size package="1" installed="1" archive="1"/>
  <location href="example-package-1.0-1.noarch.rpm"/>
  <format><rpm:license>MIT</rpm:license></format>
</package>
</metadata>
`);
  const sum = createHash('sha256').update(primary).digest('hex');
  const index = `<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo">
<revision>1</revision>
<data type="primary">
  <checksum type="sha256">${sum}</checksum><location href="repodata/primary.xml.gz"/>
  <timestamp>1577836800</timestamp><size>${primary.length}</size>
</data>
</repomd>
`;
  return staticFiles({
    '/repodata/repomd.xml': text(index, 'application/xml'),
    '/repodata/primary.xml.gz': binary(primary, 'application/gzip'),
  });
}
