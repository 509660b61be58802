// Small archives that a process also has in its memory: a file costs four trips to the threads of the system, more than all else of a hit.

import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { defaultLimits } from '../../protocol/limits.ts';
import type { CacheEntry } from './cache-entry.ts';
import type { OpenObject } from './cache-folder.ts';

type Known = Pick<CacheEntry, 'sha256' | 'bytes'>;

export class MemoryObjects {
  readonly #bytesMax: number;
  /** By the hash of what is in them, the one used last at the end. */
  readonly #objects = new Map<string, Buffer>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get({ sha256, bytes }: Known): Buffer | undefined {
    const octets = this.#objects.get(sha256);
    if (octets?.length !== bytes) return undefined;
    this.#objects.delete(sha256);
    this.#objects.set(sha256, octets);
    return octets;
  }

  /** Whether it may be in memory. */
  takes({ bytes }: Pick<Known, 'bytes'>): boolean {
    return bytes > 0 && bytes <= Math.min(defaultLimits.cacheMemoryObjectBytesMax, this.#bytesMax);
  }

  /** Undefined where it is too long, or is not what its name says: what is in memory is whole. Never rejects. */
  async read({ sha256, bytes }: Known, { handle }: Pick<OpenObject, 'handle'>): Promise<Buffer | undefined> {
    if (!this.takes({ bytes })) return undefined;
    // Of its own: a part of shared memory would keep all of that.
    const octets = Buffer.allocUnsafeSlow(bytes);
    // A fault of the disk is told where the file itself is read out.
    const isRead = await readFully(handle, octets).catch(() => false);
    if (!isRead || createHash('sha256').update(octets).digest('hex') !== sha256) return undefined;
    this.forget(sha256);
    this.#objects.set(sha256, octets);
    this.#bytes += bytes;
    for (const oldest of this.#objects.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.forget(oldest);
    }
    return octets;
  }

  forget(sha256: string): void {
    this.#bytes -= this.#objects.get(sha256)?.length ?? 0;
    this.#objects.delete(sha256);
  }

  /** What left the disk leaves here too. */
  keepOnly(isThere: (sha256: string) => boolean): void {
    for (const sha256 of this.#objects.keys()) if (!isThere(sha256)) this.forget(sha256);
  }
}

async function readFully(handle: OpenObject['handle'], octets: Buffer): Promise<boolean> {
  for (let at = 0; at < octets.length;) {
    const { bytesRead } = await handle.read(octets, at, octets.length - at, at);
    if (bytesRead === 0) return false;
    at += bytesRead;
  }
  return true;
}
