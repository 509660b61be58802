// Large files of Git (LFS): the batch call and the one object that there is.

import { createHash } from 'node:crypto';

import type { OriginHandler } from './handler.ts';
import { binary } from './handler.ts';

const object = Buffer.from('hello from git\n');
const oid = createHash('sha256').update(object).digest('hex');

export const largeFiles: OriginHandler = ({ path, base }) => {
  const [, rest] = /^\/project\.git\/info\/lfs\/(.+)$/.exec(path) ?? [];
  switch (rest) {
    case 'objects/batch': {
      const href = `${base}/project.git/info/lfs/${oid}`;
      const objects = [{ oid, size: object.length, actions: { download: { href } } }];
      return {
        body: Buffer.from(JSON.stringify({ transfer: 'basic', objects })),
        headers: { 'content-type': 'application/vnd.git-lfs+json' },
      };
    }
    case oid:
      return binary(object);
    default:
      return undefined;
  }
};
