// Tiles of hashes of a checksum database: 256 hashes of every eighth level of its tree, in one file each.

import { Buffer } from 'node:buffer';
import { nodeHash } from './merkle-tree.ts';

/** In levels. */
const tileHeight = 8;
const tileWidth = 2 ** tileHeight;
const hashBytes = 32;

export interface HashTile {
  /** Of tiles. */
  readonly level: number;
  readonly index: number;
  /** How many hashes it has in a tree of that size. */
  readonly width: number;
}

/** The tile that the hash follows from, and which of its hashes. */
export function tileWith(
  level: number,
  index: number,
  size: number,
): { readonly tile: HashTile; readonly from: number; readonly count: number } {
  const tileLevel = Math.floor(level / tileHeight);
  const count = 2 ** (level % tileHeight);
  const first = index * count;
  const tileIndex = Math.floor(first / tileWidth);
  const all = Math.floor(size / tileWidth ** tileLevel);
  const width = Math.min(tileWidth, all - tileIndex * tileWidth);
  return { tile: { level: tileLevel, index: tileIndex, width }, from: first - tileIndex * tileWidth, count };
}

export const isFullTile = ({ width }: HashTile): boolean => width === tileWidth;
export const fullTile = (tile: HashTile): HashTile => ({ ...tile, width: tileWidth });
export const tileBytes = ({ width }: HashTile): number => width * hashBytes;

/** `/tile/8/0/x001/234.p/5` */
export function tilePath({ level, index, width }: HashTile): string {
  let digits = '';
  for (let rest = index; ; rest = Math.floor(rest / 1000)) {
    digits = `${digits === '' ? '' : 'x'}${String(rest % 1000).padStart(3, '0')}${digits === '' ? '' : '/'}${digits}`;
    if (rest < 1000) break;
  }
  const part = width === tileWidth ? '' : `.p/${String(width)}`;
  return `/tile/${String(tileHeight)}/${String(level)}/${digits}${part}`;
}

/** What so many of its hashes come to, which are a power of two. */
export function hashIn(octets: Buffer, from: number, count: number): Buffer {
  if (count === 1) return octets.subarray(from * hashBytes, (from + 1) * hashBytes);
  const half = count / 2;
  return nodeHash(hashIn(octets, from, half), hashIn(octets, from + half, half));
}
