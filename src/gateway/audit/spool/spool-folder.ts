// The folder of all spools of one gateway: each process has one of its own there, under the id by whose lock it is told to run.

import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ProxyError } from '../../../protocol/error.ts';
import { faultReason } from '../../../protocol/fault-reason.ts';
import { ProcessHolders } from '../../../store/process-holders.ts';
import { makePrivateFolder } from '../../../system/private-folder.ts';
import {
  openSegment,
  readSegmentHeader,
  type Segment,
  segmentHeaderBytes,
  segmentNumberOf,
  spoolFault,
} from './spool-segment.ts';

const idForm = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** What was found damaged stays under this name, for a person. */
const damagedPrefix = 'damaged-';

/** A spool that a process left which is gone. */
export interface LeftSpool {
  readonly id: string;
  readonly segments: readonly Segment[];
  /** When something was written to it the last time. */
  readonly writtenMs: number;
}

export class SpoolFolder {
  readonly #path: string;
  readonly #holders: ProcessHolders;

  private constructor(path: string) {
    this.#path = path;
    this.#holders = new ProcessHolders(join(path, 'spool'));
  }

  /** Made if it is missing. Throws ProxyError `audit_unavailable` if it is not this user's alone. */
  static async open(path: string): Promise<SpoolFolder> {
    await makePrivateFolder(path, { mayBeThere: true, fault: faultOf(path) });
    return new SpoolFolder(path);
  }

  /** The id of this process, and the new folder of its own spool. Throws ProxyError `audit_unavailable`. */
  async own(): Promise<{ readonly spool: string; readonly folder: string }> {
    try {
      const spool = this.#holders.own();
      const folder = join(this.#path, spool);
      await makePrivateFolder(folder, { mayBeThere: false, fault: faultOf(folder) });
      return { spool, folder };
    } catch (error) {
      if (error instanceof ProxyError && error.code === 'audit_unavailable') throw error;
      throw spoolFault(this.#path, faultReason(error), error);
    }
  }

  /** Ids of spools whose processes are gone, the oldest first. */
  async left(): Promise<readonly string[]> {
    const found: { readonly id: string; readonly madeMs: number }[] = [];
    for (const id of await readdir(this.#path)) {
      if (!idForm.test(id) || !this.#holders.hasEnded(id)) continue;
      const status = await lstat(join(this.#path, id)).catch(() => undefined);
      if (status?.isDirectory() === true) found.push({ id, madeMs: status.birthtimeMs });
    }
    return found.sort((a, b) => a.madeMs - b.madeMs).map(({ id }) => id);
  }

  /**
   * What a process that is gone has left. Files that are none of its segments, or could be of somebody else, are told and left alone.
   */
  async read(id: string, onFault: (error: ProxyError) => void): Promise<LeftSpool> {
    const folder = join(this.#path, id);
    const numbered = (await readdir(folder))
      .map((name) => ({ path: join(folder, name), number: segmentNumberOf(name) }))
      .filter((one): one is { readonly path: string; readonly number: number } => one.number !== undefined)
      .sort((a, b) => a.number - b.number);
    const segments: Segment[] = [];
    let writtenMs = 0;
    for (const { path } of numbered) {
      try {
        const one = await readSegment(path, id);
        segments.push(one.segment);
        writtenMs = Math.max(writtenMs, one.writtenMs);
      } catch (error) {
        if (!(error instanceof ProxyError)) throw error;
        onFault(error);
      }
    }
    return { id, segments, writtenMs };
  }

  /** Forgets a spool that is delivered. What is damaged is kept for a person, once. */
  async remove(id: string, isDamaged: boolean): Promise<void> {
    const folder = join(this.#path, id);
    if (isDamaged) await rename(folder, join(this.#path, `${damagedPrefix}${id}`));
    else await rm(folder, { recursive: true, force: true });
    this.#holders.sweep();
  }

  close(): void {
    this.#holders.close();
  }
}

async function readSegment(
  path: string,
  id: string,
): Promise<{ readonly segment: Segment; readonly writtenMs: number }> {
  const file = await openSegment(path);
  try {
    const { size, mtimeMs } = await file.stat();
    const bytes = new Uint8Array(segmentHeaderBytes);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    const header = readSegmentHeader(bytes.subarray(0, bytesRead));
    if (header === undefined) throw spoolFault(path, 'it does not begin as a segment does');
    if (header.spool !== id) throw spoolFault(path, `it belongs to the spool ${header.spool}`);
    return { segment: { path, first: header.first, bytes: size }, writtenMs: mtimeMs };
  } catch (error) {
    throw error instanceof ProxyError ? error : spoolFault(path, faultReason(error), error);
  } finally {
    await file.close();
  }
}

const faultOf =
  (path: string) =>
  (reason: string, cause?: unknown): ProxyError =>
    spoolFault(path, reason, cause);
