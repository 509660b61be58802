// What tools fetch beside packages: the headers of Node for native modules, the program of Electron.

import { createHash } from 'node:crypto';

import { tarGz, zip } from './archive.ts';
import { binary, staticFiles, text } from './handler.ts';
import type { OriginHandler } from './handler.ts';

/** Of a Node that there is not, below `/dist`. */
export function nodeDownloads(): OriginHandler {
  const name = 'node-v20.99.0-headers.tar.gz';
  const archive = tarGz({ 'node-v20.99.0/include/node/node_version.h': '/* hello from node */\n' });
  const hash = createHash('sha256').update(archive).digest('hex');
  return staticFiles({
    [`/dist/v20.99.0/${name}`]: binary(archive),
    '/dist/v20.99.0/SHASUMS256.txt': text(`${hash}  ${name}\n`),
  });
}

/** Of an Electron that there is not, as a mirror has it. */
export function electronDownloads(): OriginHandler {
  const name = 'electron-v1.2.3-linux-x64.zip';
  const archive = zip({ version: 'hello from electron\n' });
  const hash = createHash('sha256').update(archive).digest('hex');
  return staticFiles({
    [`/v1.2.3/${name}`]: binary(archive, 'application/zip'),
    '/v1.2.3/SHASUMS256.txt': text(`${hash} *${name}\n`),
  });
}
