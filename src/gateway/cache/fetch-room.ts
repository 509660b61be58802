// The room on the disk of one archive that comes. It is taken as the octets come: what only says that it is long takes nothing from others.

import { blocksOf } from './cache-folder.ts';
import { type CacheRoom, sessionShare } from './cache-room.ts';

/** How much is taken at a time: of a small cache less. */
const stepBytesMost = 4 * 1024 * 1024;
const stepShare = 16;

export class FetchRoom {
  readonly #room: CacheRoom;
  readonly #sessionId: string;
  readonly #stepBytes: number;
  #taken = 0;
  #written = 0;
  #closed: (() => void) | undefined;

  constructor(room: CacheRoom, sessionId: string, keepBytes: number) {
    this.#room = room;
    this.#sessionId = sessionId;
    this.#stepBytes = Math.min(stepBytesMost, keepBytes / sessionShare / stepShare);
  }

  /** Whether there is room for so many octets of it. @throws ProxyError as CacheRoom */
  async reach(bytes: number, length: number | undefined): Promise<boolean> {
    while (this.#taken < bytes) {
      const left = length === undefined || length <= this.#taken ? Infinity : length - this.#taken;
      const step = blocksOf(Math.min(this.#stepBytes, left));
      if (!(await this.#room.take(this.#sessionId, step))) return false;
      this.#taken += step;
    }
    return true;
  }

  /** So many octets are on the disk. */
  wrote(bytes: number): void {
    this.#room.wrote(bytes - this.#written);
    this.#written = bytes;
  }

  /** It is whole and has its name, under which it is counted. Those that still read it may outlive that. */
  kept(sha256: string, bytes: number): void {
    this.#giveBack();
    this.#closed = this.#room.opened(sha256, bytes);
  }

  /** Nobody has it open any more. */
  close(): void {
    this.#giveBack();
    this.#closed?.();
    this.#closed = undefined;
  }

  #giveBack(): void {
    this.#room.giveBack(this.#sessionId, this.#taken, this.#taken - this.#written);
    this.#taken = 0;
    this.#written = 0;
  }
}
