// A repository of Maven with libraries of `test.example`, and for each a `wrap-NAME` that depends on a range of it. What is withdrawn is removed.

import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { zip } from '../../../clients/origin/archive.ts';
import { contentOf, isGone, type ServedPackage } from './served-package.ts';

const sums = ['sha1', 'md5', 'sha256', 'sha512'];

/** What is served at a path; `file` of a version is promised as it should be. */
export function mavenFiles(packages: readonly ServedPackage[]): ReadonlyMap<string, MavenFile> {
  const files = new Map<string, MavenFile>();
  const add = (path: string, promised: string | Buffer, sent: string | Buffer = promised): void => {
    files.set(`/maven2/test/example/${path}`, { sent, promised });
  };
  for (const { name, versions } of packages) {
    const left = versions.filter((one) => !isGone(one));
    const wrapper = `wrap-${name}`;
    add(`${wrapper}/1.0/${wrapper}-1.0.pom`, pomOf(wrapper, '1.0', name));
    add(`${wrapper}/1.0/${wrapper}-1.0.jar`, jarOf(wrapper, '1.0', 'complete'));
    add(
      `${name}/maven-metadata.xml`,
      metadataOf(
        name,
        left.map(({ version }) => version),
      ),
    );
    for (const one of left) {
      const start = `${name}/${one.version}/${name}-${one.version}`;
      add(`${start}.pom`, pomOf(name, one.version));
      add(`${start}.jar`, jarOf(name, one.version, 'complete'), jarOf(name, one.version, contentOf(one)));
    }
  }
  return files;
}

interface MavenFile {
  readonly sent: string | Buffer;
  readonly promised: string | Buffer;
}

export function mavenRepository(packages: readonly ServedPackage[]): RequestListener {
  return (request, response) => {
    const path = request.url ?? '';
    const files = mavenFiles(packages);
    const sum = sums.find((one) => path.endsWith(`.${one}`));
    const file = files.get(sum === undefined ? path : path.slice(0, -sum.length - 1));
    if (file === undefined) return void response.writeHead(404).end();
    response.end(sum === undefined ? file.sent : createHash(sum).update(file.promised).digest('hex'));
  };
}

const pomOf = (
  name: string,
  version: string,
  wrapped?: string,
): string => `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>test.example</groupId>
  <artifactId>${name}</artifactId>
  <version>${version}</version>
  <packaging>jar</packaging>
${wrapped === undefined ? '' : `  <dependencies><dependency><groupId>test.example</groupId><artifactId>${wrapped}</artifactId><version>[1.0.0,2.0.0)</version></dependency></dependencies>\n`}</project>
`;

const metadataOf = (
  name: string,
  versions: readonly string[],
): string => `<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>test.example</groupId>
  <artifactId>${name}</artifactId>
  <versioning>
    <latest>${versions.at(-1) ?? ''}</latest>
    <release>${versions.at(-1) ?? ''}</release>
    <versions>${versions.map((one) => `<version>${one}</version>`).join('')}</versions>
    <lastUpdated>20200101000000</lastUpdated>
  </versioning>
</metadata>
`;

const jarOf = (name: string, version: string, content: string): Buffer =>
  zip({
    'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\r\n\r\n',
    [`${name}.txt`]: `${name} ${version} ${content}\n`,
  });
