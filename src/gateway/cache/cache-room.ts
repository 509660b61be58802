// How much the cache takes of the disk. What was not used for the longest leaves first, be it of this process or of another one on the folder.
// Others write that disk too, the audit among them: a part of it stays free, and the cache makes room for that.

import { rm } from 'node:fs/promises';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { blocksOf, type CachedFile, type CacheFolder, type Disk } from './cache-folder.ts';

export interface CacheRoomOptions {
  readonly folder: Pick<CacheFolder, 'files' | 'disk'>;
  readonly keepBytes: number;
  /** What of the disk stays free. */
  readonly reserveBytes?: number;
  readonly filesMax?: number;
  readonly onLeft?: (files: number) => void;
  /** Asked before each look: what it knows of uses is noted by then. */
  readonly beforeLook?: () => Promise<void>;
  /** Told after each look of the hashes of the objects that were there. */
  readonly onLooked?: (objects: ReadonlySet<string>) => void;
}

/** When files leave, so many more leave that the next ones need no look at the folder. */
const spareShare = 16;
/** What is not whole yet may turn out to be nothing: it displaces no more than these shares of what is kept. */
const comingShare = 2;
export const sessionShare = 4;
/** Of a small disk the reserve is this share. */
const reserveShare = 8;

interface OpenFile {
  readonly bytes: number;
  readers: number;
  /** It has left, and its octets are still there for those that read it. */
  isGone: boolean;
}

const reserveOf = (bytes: number, disk: Disk): number => Math.min(bytes, disk.bytes / reserveShare);

/** Undefined: the disk may have all that the cache may keep. */
export function shortDisk(keepBytes: number, disk: Disk, reserveBytes: number): number | undefined {
  const mostBytes = Math.floor(disk.bytes - reserveOf(reserveBytes, disk));
  return keepBytes > mostBytes ? mostBytes : undefined;
}

export class CacheRoom {
  readonly #options: CacheRoomOptions;
  readonly #filesMax: number;
  readonly #reserveBytes: number;
  /** Undefined until the folder was looked at. */
  #kept: { bytes: number; files: number } | undefined;
  /** Of what is not whole yet; by session, and what of it is not on the disk. */
  #coming = 0;
  #unwritten = 0;
  readonly #comingOf = new Map<string, number>();
  /** By the hash of what is in them. */
  readonly #open = new Map<string, OpenFile>();
  #gone = 0;
  /** What the disk has beyond the reserve. */
  #freeBytes = Infinity;
  /** Less than `keepBytes` after the disk took no more, whatever it says of its room. */
  #boundBytes: number;
  #looked: Promise<void> = Promise.resolve();

  constructor(options: CacheRoomOptions) {
    this.#options = options;
    this.#filesMax = options.filesMax ?? defaultLimits.cachedFilesMax;
    this.#reserveBytes = options.reserveBytes ?? defaultLimits.cacheDiskReserveBytes;
    this.#boundBytes = options.keepBytes;
  }

  /** As far as it is known by now. */
  get bytes(): number {
    return (this.#kept?.bytes ?? 0) + this.#coming + this.#gone;
  }

  /**
   * Room for what comes. False: there is none, whatever leaves, or others have a right to it. @throws ProxyError limit_exceeded if the disk has none
   */
  async take(sessionId: string, bytes: number): Promise<boolean> {
    if (!this.#mayCome(sessionId, bytes)) return false;
    await this.#measure();
    if (this.#kept === undefined || this.#isOver(bytes)) await this.look(bytes);
    if (this.#isTight(bytes))
      throw new ProxyError(
        'limit_exceeded',
        'so much of the disk has to stay free (cacheDiskReserveBytes), and it has no more',
        { limit: 'cacheDiskReserveBytes' },
      );
    if (this.#isOver(bytes) || !this.#mayCome(sessionId, bytes)) return false;
    this.#coming += bytes;
    this.#unwritten += bytes;
    this.#comingOf.set(sessionId, (this.#comingOf.get(sessionId) ?? 0) + bytes);
    return true;
  }

  wrote(bytes: number): void {
    this.#unwritten -= bytes;
  }

  /** It did not come to be, or is whole now and counted as `kept`. */
  giveBack(sessionId: string, bytes: number, unwritten: number): void {
    this.#coming -= bytes;
    this.#unwritten -= unwritten;
    const left = (this.#comingOf.get(sessionId) ?? 0) - bytes;
    if (left > 0) this.#comingOf.set(sessionId, left);
    else this.#comingOf.delete(sessionId);
  }

  kept(bytes: number, files: number): void {
    if (this.#kept === undefined) return;
    this.#kept.bytes += blocksOf(bytes);
    this.#kept.files += files;
  }

  /** Somebody reads it, and it takes its room until that one is told to have closed it. */
  opened(sha256: string, bytes: number): () => void {
    const file = this.#open.get(sha256) ?? { bytes: blocksOf(bytes), readers: 0, isGone: false };
    this.#open.set(sha256, file);
    file.readers += 1;
    return () => {
      file.readers -= 1;
      if (file.readers > 0) return;
      this.#open.delete(sha256);
      this.#isGone(file, false);
    };
  }

  /** Looks at the folder, and lets leave what is too much with so many bytes more. One look after the other. */
  async look(moreBytes = 0): Promise<void> {
    const looked = this.#looked.then(async () => {
      // What the one before made room for may be enough.
      const isEnough = this.#kept !== undefined && moreBytes > 0 && !this.#isOver(moreBytes);
      if (!isEnough) await this.#look(moreBytes);
    });
    this.#looked = looked.catch(() => undefined);
    await looked;
  }

  /** As from time to time: a disk that took nothing more is tried a little further. */
  async lookAgain(): Promise<void> {
    const { keepBytes } = this.#options;
    this.#boundBytes = Math.min(keepBytes, this.#boundBytes + keepBytes / spareShare);
    await this.look();
  }

  /** The disk took nothing more, though it may say that it has room: a quota, or others were faster. A part of what is there leaves for them. */
  async full(): Promise<void> {
    const has = (this.#kept?.bytes ?? 0) + this.#gone + this.#coming - this.#unwritten;
    this.#boundBytes = Math.min(this.#boundBytes, has - has / spareShare);
    await this.look();
  }

  #mayCome(sessionId: string, bytes: number): boolean {
    const { keepBytes } = this.#options;
    const ofSession = (this.#comingOf.get(sessionId) ?? 0) + bytes;
    const all = this.#coming + this.#gone + bytes;
    return ofSession <= keepBytes / sessionShare && all <= keepBytes / comingShare;
  }

  #isOver(moreBytes: number): boolean {
    const files = this.#kept?.files ?? 0;
    return this.bytes + moreBytes > this.#boundBytes || files >= this.#filesMax || this.#isTight(moreBytes);
  }

  #isTight(moreBytes: number): boolean {
    return this.#freeBytes - this.#unwritten < moreBytes;
  }

  async #measure(): Promise<void> {
    const disk = await this.#options.folder.disk();
    this.#freeBytes = disk.freeBytes - reserveOf(this.#reserveBytes, disk);
  }

  #isGone(file: OpenFile, isGone: boolean): void {
    if (file.isGone !== isGone) this.#gone += isGone ? file.bytes : -file.bytes;
    file.isGone = isGone;
  }

  async #look(moreBytes: number): Promise<void> {
    const { folder, onLeft, onLooked } = this.#options;
    await this.#options.beforeLook?.();
    const files: CachedFile[] = [];
    const here = new Set<string>();
    for await (const one of folder.files()) {
      files.push(one);
      if (one.kind === 'object' && this.#open.has(one.name)) here.add(one.name);
    }
    for (const [name, file] of this.#open) this.#isGone(file, !here.has(name));
    this.#kept = { bytes: files.reduce((all, { bytes }) => all + blocksOf(bytes), 0), files: files.length };
    await this.#measure();
    if (this.#isOver(moreBytes)) {
      onLeft?.(await this.#letLeave(files, this.#kept, moreBytes));
      await this.#measure();
    }
    onLooked?.(new Set(files.filter(({ kind }) => kind === 'object').map(({ name }) => name)));
  }

  async #letLeave(
    files: CachedFile[],
    sum: { bytes: number; files: number },
    moreBytes: number,
  ): Promise<number> {
    const spare = sum.bytes / spareShare;
    const missing = moreBytes + this.#unwritten - this.#freeBytes;
    const bytesMax = Math.min(
      this.#boundBytes - this.#boundBytes / spareShare - this.#coming - this.#gone - moreBytes,
      missing > 0 ? sum.bytes - missing - spare : Infinity,
    );
    const filesMax = this.#filesMax - this.#filesMax / spareShare;
    files.sort((a, b) => a.usedMs - b.usedMs);
    let left = 0;
    for (const { path, bytes, kind, name } of files) {
      if (sum.bytes <= bytesMax && sum.files <= filesMax) break;
      await rm(path, { force: true });
      sum.bytes -= blocksOf(bytes);
      sum.files -= 1;
      left += 1;
      const read = kind === 'object' ? this.#open.get(name) : undefined;
      if (read !== undefined) this.#isGone(read, true);
    }
    return left;
  }
}
