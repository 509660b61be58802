// The tree of a checksum database (RFC 9162 §2, golang.org/x/mod/sumdb/tlog): that a record is in it, and that an older tree is the beginning of a newer one.

import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';

/** The hash of the records from `index << level`, `1 << level` of them. */
export type HashAt = (level: number, index: number) => Buffer;

const hashed = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

const [leaf, node] = [Buffer.of(0), Buffer.of(1)];

export const recordHash = (record: Uint8Array): Buffer => hashed(leaf, record);
export const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer => hashed(node, left, right);

/** Of the whole tree, if the record at that place has that hash. */
export function rootWith(
  record: Buffer,
  { index, size }: { readonly index: number; readonly size: number },
  hashAt: HashAt,
): Buffer {
  return within(0, size);

  function within(from: number, to: number): Buffer {
    if (to - from === 1) return record;
    const middle = from + halfOf(to - from);
    return index < middle
      ? nodeHash(within(from, middle), treeHash(middle, to, hashAt))
      : nodeHash(treeHash(from, middle, hashAt), within(middle, to));
  }
}

/** Of the tree with so many records, and of the one that begins it, as both follow from the same hashes. */
export function rootsOf(
  { older, newer }: { readonly older: number; readonly newer: number },
  hashAt: HashAt,
): { readonly older: Buffer; readonly newer: Buffer } {
  return within(0, newer);

  function within(from: number, to: number): { readonly older: Buffer; readonly newer: Buffer } {
    if (older >= to) {
      const all = treeHash(from, to, hashAt);
      return { older: all, newer: all };
    }
    const middle = from + halfOf(to - from);
    if (older <= middle) {
      const left = within(from, middle);
      return { older: left.older, newer: nodeHash(left.newer, treeHash(middle, to, hashAt)) };
    }
    const left = treeHash(from, middle, hashAt);
    const right = within(middle, to);
    return { older: nodeHash(left, right.older), newer: nodeHash(left, right.newer) };
  }
}

/** Where it is no whole subtree, it is put together of those that are. */
function treeHash(from: number, to: number, hashAt: HashAt): Buffer {
  const count = to - from;
  const level = Math.log2(count);
  if (Number.isInteger(level)) return hashAt(level, from / count);
  const middle = from + halfOf(count);
  return nodeHash(treeHash(from, middle, hashAt), treeHash(middle, to, hashAt));
}

/** The largest power of two that is less. */
function halfOf(count: number): number {
  let half = 1;
  while (half * 2 < count) half *= 2;
  return half;
}
