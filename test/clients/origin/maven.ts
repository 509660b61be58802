// A Maven repository with one library.

import { createHash } from 'node:crypto';

import { zip } from './archive.ts';
import type { OriginResponse, OriginHandler } from './handler.ts';
import { binary, staticFiles, text } from './handler.ts';

const folder = '/maven2/com/example/library';

export function mavenRepository(): OriginHandler {
  const pom = `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId>
  <artifactId>library</artifactId>
  <version>1.0</version>
  <packaging>jar</packaging>
</project>
`;
  const metadata = `<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>com.example</groupId>
  <artifactId>library</artifactId>
  <versioning>
    <latest>1.0</latest>
    <release>1.0</release>
    <versions><version>1.0</version></versions>
    <lastUpdated>20200101000000</lastUpdated>
  </versioning>
</metadata>
`;
  const jar = zip({
    'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\r\n\r\n',
    'hello.txt': 'hello from maven\n',
  });
  const files: readonly (readonly [string, string | Buffer])[] = [
    [`${folder}/1.0/library-1.0.pom`, pom],
    [`${folder}/1.0/library-1.0.jar`, jar],
    [`${folder}/maven-metadata.xml`, metadata],
  ];
  return staticFiles(Object.fromEntries(files.flatMap(([path, content]) => withSums(path, content))));
}

function withSums(path: string, content: string | Buffer): [string, OriginResponse][] {
  const response = typeof content === 'string' ? text(content, 'text/xml') : binary(content);
  const sums = ['sha1', 'md5', 'sha256', 'sha512'].map((name): [string, OriginResponse] => [
    `${path}.${name}`,
    text(createHash(name).update(content).digest('hex')),
  ]);
  return [[path, response], ...sums];
}
