// The site as one file: a tar archive, compressed with zstd. The same folder gives the same bytes.

import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';

const blockBytes = 512;

/** All files of a folder by their paths in it, each below `prefix`. */
export function filesBelow(folder: string, prefix: string): readonly ArchivedFile[] {
  return globSync('**/*', { cwd: folder })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => ({ name: `${prefix}${name}`, body: readFileSync(join(folder, name)) }));
}

export interface ArchivedFile {
  readonly name: string;
  readonly body: Buffer;
}

/** @throws Error for a name that a tar archive has no place for */
export function siteArchive(files: readonly ArchivedFile[]): Buffer {
  const parts = files
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap(({ name, body }) => [
      tarHead(name, body.length),
      body,
      Buffer.alloc(-body.length & (blockBytes - 1)),
    ]);
  const tar = Buffer.concat([...parts, Buffer.alloc(2 * blockBytes)]);
  return zstdCompressSync(tar, {
    params: {
      [constants.ZSTD_c_compressionLevel]: 19,
      [constants.ZSTD_c_windowLog]: 24,
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  });
}

/** A file of nobody, at no time (POSIX.1-1988, ustar). @throws Error for a name that is too long */
function tarHead(name: string, bytes: number): Buffer {
  const cut = name.length <= 100 ? -1 : name.indexOf('/', name.length - 101);
  const [prefix, last] = cut === -1 ? ['', name] : [name.slice(0, cut), name.slice(cut + 1)];
  if (last.length > 100 || prefix.length > 155 || !/^[!-~]+$/.test(name))
    throw new Error(`${name} has no place in a tar archive`);
  const head = Buffer.alloc(blockBytes);
  head.write(last, 0, 'latin1');
  head.write('0000644\0' + '0000000\0'.repeat(2), 100, 'latin1');
  head.write(`${bytes.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0${' '.repeat(8)}0`, 124, 'latin1');
  head.write('ustar\x0000', 257, 'latin1');
  head.write(prefix, 345, 'latin1');
  const sum = head.reduce((total, octet) => total + octet, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return head;
}
