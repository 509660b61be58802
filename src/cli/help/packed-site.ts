// The documentation site as one file, as scripts/site/site-archive.ts writes it: a tar archive of files, compressed with zstd.

import { zstdDecompressSync } from 'node:zlib';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';

const blockBytes = 512;

/** Its files, by the path of their address. @throws ProxyError config_invalid */
export function unpackSite(packed: Buffer, name: string): ReadonlyMap<string, Buffer> {
  try {
    return filesOf(zstdDecompressSync(packed, { maxOutputLength: defaultLimits.docsBytesMax }));
  } catch (error) {
    throw new ProxyError(
      'config_invalid',
      `${name} is not the site of a release (${faultReason(error)}); give upstreamproxy-docs-VERSION.tar.zst`,
      { cause: error },
    );
  }
}

function filesOf(tar: Buffer): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; at + blockBytes <= tar.length && tar[at] !== 0;) {
    const text = (start: number, bytes: number): string =>
      tar.toString('latin1', at + start, at + start + bytes).split('\0', 1)[0] ?? '';
    const size = text(124, 12);
    if (text(257, 6) !== 'ustar' || text(156, 1) !== '0' || !/^[0-7]{11}$/.test(size))
      throw new Error('an entry of the archive is not a file');
    const bytes = Number.parseInt(size, 8);
    const body = tar.subarray(at + blockBytes, at + blockBytes + bytes);
    if (body.length !== bytes) throw new Error('the archive is cut off');
    const folder = text(345, 155);
    files.set(`/${folder === '' ? '' : `${folder}/`}${text(0, 100)}`, body);
    at += blockBytes + bytes + (-bytes & (blockBytes - 1));
  }
  if (!files.has('/index.html')) throw new Error('the archive has no front page');
  return files;
}
