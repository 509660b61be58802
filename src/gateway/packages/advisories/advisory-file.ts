// The file with the index of advisories: read whole, and taken only if it is what was written.

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { ProxyError } from '../../../protocol/error.ts';
import { faultReason } from '../../../protocol/fault-reason.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import { AdvisoryIndex, type IndexHead, readHead } from '../../../understand/packages/advisory-index.ts';

const headBytesMax = 65_536;
const pieceBytes = 4 * 1024 * 1024;

/** @throws ProxyError config_invalid */
export async function readAdvisoryFile(path: string): Promise<AdvisoryIndex> {
  try {
    const octets = await readWhole(path);
    const end = octets.subarray(0, headBytesMax).indexOf(0x0a);
    const head = end < 0 ? 'is no index of advisories' : readHead(octets.toString('utf8', 0, end));
    if (typeof head === 'string') throw new Error(`it ${head}`);
    const lines = octets.subarray(end + 1);
    await check(lines, head);
    return new AdvisoryIndex(head, lines);
  } catch (error) {
    throw new ProxyError(
      'config_invalid',
      `the index of advisories ${path} cannot be read: ${faultReason(error)}`,
      { cause: error },
    );
  }
}

async function readWhole(path: string): Promise<Buffer> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const status = await file.stat();
  if (!status.isFile()) throw new Error('it is not a regular file');
  if (status.size > defaultLimits.advisoryIndexBytesMax)
    throw new Error('it is too long (advisoryIndexBytesMax)');
  const octets = Buffer.allocUnsafe(status.size);
  let length = 0;
  while (length < octets.length) {
    const { bytesRead } = await file.read(
      octets,
      length,
      Math.min(pieceBytes, octets.length - length),
      length,
    );
    if (bytesRead === 0) throw new Error('it was cut off');
    length += bytesRead;
  }
  return octets;
}

/** In pieces: others are served meanwhile. */
async function check(lines: Buffer, { bytes, sha256 }: IndexHead): Promise<void> {
  if (lines.length !== bytes) throw new Error('it has another length than it says');
  const hash = createHash('sha256');
  for (let at = 0; at < lines.length; at += pieceBytes) {
    hash.update(lines.subarray(at, at + pieceBytes));
    await setImmediate();
  }
  if (hash.digest('hex') !== sha256)
    throw new Error('it was changed or damaged; import the advisories again');
}
