// What comes for one client, written beside as it comes. The client waits for nothing of it: where the disk, or its room, does not keep up, the
// file is given up.

import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { owned } from '../../net/shared-reads.ts';
import type { Reservation } from '../../protocol/held-octets.ts';
import { type TemporaryObject, writeFully } from './cache-folder.ts';
import type { FetchRoom } from './fetch-room.ts';

export interface FilePlace {
  temporary(): Promise<TemporaryObject>;
  readonly room: FetchRoom;
  /** Room in memory for what waits for the disk; undefined: there is none. */
  reserve(octets: number): Reservation | undefined;
  onDiskFault(error: unknown): void;
}

export interface WholeFile {
  readonly object: TemporaryObject;
  readonly sha256: string;
  readonly bytes: number;
}

/** Room in memory is taken in such steps. */
const stepBytes = 262_144;

export class ComingFile implements AsyncDisposable {
  readonly #place: FilePlace;
  readonly #bytesMax: number;
  readonly #sha256 = createHash('sha256');
  readonly #rooms: Reservation[] = [];
  #received = 0;
  #written = 0;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #writing: Promise<void> | undefined;
  #object: TemporaryObject | undefined;
  #isGivenUp = false;

  constructor(place: FilePlace, bytesMax: number) {
    this.#place = place;
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#received;
  }

  push(chunk: Uint8Array): void {
    if (this.#isGivenUp) return;
    this.#received += chunk.byteLength;
    if (this.#received > this.#bytesMax || !this.#hasRoomFor(chunk.byteLength)) {
      this.giveUp();
      return;
    }
    this.#sha256.update(chunk);
    this.#queue.push(owned(chunk));
    this.#queued += chunk.byteLength;
    this.#write();
  }

  giveUp(): void {
    this.#isGivenUp = true;
    this.#queue = [];
  }

  /** Undefined: it is not there. */
  async whole(): Promise<WholeFile | undefined> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#isGivenUp || this.#object === undefined) return undefined;
    return { object: this.#object, sha256: this.#sha256.digest('hex'), bytes: this.#received };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#queue = [];
    while (this.#writing !== undefined) await this.#writing;
    if (this.#object !== undefined) {
      await rm(this.#object.path, { force: true }).catch(() => undefined);
      await this.#object.handle.close().catch(() => undefined);
    }
    this.#place.room.close();
    for (const room of this.#rooms) room.release();
  }

  #hasRoomFor(octets: number): boolean {
    while (this.#queued + octets > this.#rooms.length * stepBytes) {
      const room = this.#place.reserve(stepBytes);
      if (room === undefined) return false;
      this.#rooms.push(room);
    }
    return true;
  }

  #write(): void {
    this.#writing ??= this.#writeAll()
      .catch((error: unknown) => {
        this.#place.onDiskFault(error);
        this.giveUp();
      })
      .then(() => {
        this.#writing = undefined;
      });
  }

  async #writeAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const next = Buffer.concat(this.#queue.splice(0));
      if (!(await this.#place.room.reach(this.#written + next.byteLength, undefined))) {
        this.giveUp();
        return;
      }
      this.#object ??= await this.#place.temporary();
      await writeFully(this.#object.handle, next, this.#written);
      this.#written += next.byteLength;
      this.#queued -= next.byteLength;
      this.#place.room.wrote(this.#written);
    }
  }
}
