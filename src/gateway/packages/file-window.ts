// A file of any length, of which a part is in memory: who reads on reads from the disk seldom.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

const windowBytes = 1024 * 1024;

export class FileWindow implements Disposable {
  readonly size: number;
  readonly #descriptor: number;
  #start = 0;
  #octets: Buffer = Buffer.alloc(0);

  /** @throws what open(2) does, and for what is no regular file */
  constructor(path: string) {
    this.#descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = fstatSync(this.#descriptor);
    this.size = status.size;
    if (status.isFile()) return;
    closeSync(this.#descriptor);
    throw new Error('it is not a regular file');
  }

  /** Octets of their own, or of the window: they hold until the next call. @throws if the file does not have them */
  at(start: number, length: number): Buffer {
    if (start < 0 || length < 0 || start + length > this.size) throw new Error('it was cut off');
    const isHeld = start >= this.#start && start + length <= this.#start + this.#octets.length;
    if (!isHeld) {
      this.#octets = this.#read(start, Math.min(this.size - start, Math.max(length, windowBytes)));
      this.#start = start;
    }
    return this.#octets.subarray(start - this.#start, start - this.#start + length);
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  #read(start: number, length: number): Buffer {
    const octets = Buffer.allocUnsafe(length);
    for (let done = 0; done < length;) {
      const count = readSync(this.#descriptor, octets, done, length - done, start + done);
      if (count === 0) throw new Error('it was cut off');
      done += count;
    }
    return octets;
  }
}
