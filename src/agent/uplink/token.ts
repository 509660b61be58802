// The session token: read once into a Buffer that is never a string, zeroed after its one request, erased on disk.

import {
  type BigIntStats,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
} from 'node:fs';
import { openSync, read, readSync, unlinkSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

/** Where a sandbox is expected to put the session token, if nothing else is said. */
export const defaultTokenFile = '/run/secrets/upstreamproxy-token';

/** What must be unchanged for a file to be the one that was read. Not the change time: a link made since must not save it. */
interface FileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
  readonly modifiedNs: bigint;
  readonly size: bigint;
}

/** A token in memory. `bytes` is a view on one allocation that `zero()` clears. */
export class SessionToken {
  readonly #memory: Buffer;
  readonly bytes: Buffer;
  readonly #file: { readonly path: string; readonly identity: FileIdentity } | undefined;

  constructor(
    memory: Buffer,
    length: number,
    file?: { readonly path: string; readonly identity: FileIdentity },
  ) {
    this.#memory = memory;
    this.bytes = memory.subarray(0, length);
    this.#file = file;
  }

  /** Clears the memory; harmless when repeated. */
  zero(): void {
    this.#memory.fill(0);
  }

  /**
   * Overwrites, truncates and unlinks the file the token came from, if it still is that very file.
   * Returns whether nothing is left of it; `reason` says why something is. A token from a descriptor leaves nothing.
   */
  erase(): { readonly erased: boolean; readonly reason?: string } {
    if (this.#file === undefined) return { erased: true };
    try {
      eraseFile(this.#file.path, this.#file.identity);
      return { erased: true };
    } catch (error) {
      return { erased: false, reason: faultReason(error) };
    }
  }
}

/** Reads the token from a file. Throws token_unreadable with the check that failed, token_malformed for its content. */
export function readTokenFile(path: string, limits: Limits): SessionToken {
  let fd: number;
  try {
    // NONBLOCK, or opening a FIFO would wait for a writer; it changes nothing for a regular file.
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | closeOnExec | constants.O_NONBLOCK);
  } catch (error) {
    throw new ProxyError('token_unreadable', `token file ${path}: ${faultReason(error)}`, { cause: error });
  }
  try {
    const stats = fstatSync(fd, { bigint: true });
    checkTokenFile(path, stats, limits);
    const memory = Buffer.alloc(limits.tokenBytesMax + 1);
    const length = readAll(fd, memory);
    return tokenFrom({ memory, read: length }, `token file ${path}`, limits, {
      path,
      identity: identityOf(stats),
    });
  } finally {
    closeSync(fd);
  }
}

/**
 * Reads the token from an inherited descriptor to its end, within `enrolTimeoutMs`, and closes it.
 * A regular file, a pipe or a socket pair will do. Throws token_unreadable or token_malformed.
 */
export async function readTokenDescriptor(fd: number, limits: Limits): Promise<SessionToken> {
  const memory = Buffer.alloc(limits.tokenBytesMax + 1);
  const place = `token descriptor ${fd}`;
  let length: number;
  try {
    length = fstatSync(fd).isFile()
      ? readAndClose(fd, memory)
      : await readStreamDescriptor(fd, memory, limits);
  } catch (error) {
    memory.fill(0);
    if (error instanceof ProxyError) throw error;
    throw new ProxyError('token_unreadable', `${place}: it cannot be read: ${faultReason(error)}`, {
      cause: error,
    });
  }
  return tokenFrom({ memory, read: length }, place, limits);
}

/**
 * A copy of a token that the caller holds, so that zeroing it takes nothing from a start that may be tried again. Throws
 * token_malformed or token_unreadable.
 */
export function copyToken(token: string | Uint8Array, limits: Limits): SessionToken {
  const length = Math.min(Buffer.byteLength(token), limits.tokenBytesMax + 1);
  const memory = Buffer.alloc(limits.tokenBytesMax + 1);
  if (typeof token === 'string') memory.write(token, 'utf8');
  else memory.set(token.subarray(0, length));
  return tokenFrom({ memory, read: length }, 'token', limits);
}

// Linux gives it no name in node:fs on every runtime; the number is that of <fcntl.h> on x86_64 and aarch64.
const closeOnExec = 0o2_000_000;

function checkTokenFile(path: string, stats: BigIntStats, limits: Limits): void {
  const uid = process.geteuid?.() ?? -1;
  const refuse = (reason: string): never => {
    throw new ProxyError('token_unreadable', `token file ${path}: ${reason}`);
  };
  if (!stats.isFile()) refuse('it is not a regular file');
  if (stats.uid !== 0n && stats.uid !== BigInt(uid))
    refuse('it belongs to another user; own it by this user or root');
  if ((stats.mode & 0o077n) !== 0n) {
    refuse(`group or others may use it (mode ${(stats.mode & 0o777n).toString(8)}); set mode 600`);
  }
  if (stats.nlink !== 1n) refuse('it has another hard link, so erasing it would not be the end of it');
  if (stats.size > BigInt(limits.tokenBytesMax)) refuse(`it is larger than ${limits.tokenBytesMax} bytes`);
}

function readAll(fd: number, memory: Buffer): number {
  let length = 0;
  while (length < memory.length) {
    const count = readSync(fd, memory, length, memory.length - length, null);
    if (count === 0) break;
    length += count;
  }
  return length;
}

function readAndClose(fd: number, memory: Buffer): number {
  try {
    return readAll(fd, memory);
  } finally {
    closeSync(fd);
  }
}

/** A pipe or socket whose other end may never write: waits with a deadline, without a blocked thread under Node. */
async function readStreamDescriptor(fd: number, memory: Buffer, limits: Limits): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const timer = setTimeout(() => {
    reject(
      new ProxyError(
        'token_unreadable',
        `token descriptor ${fd}: its end did not come in time; close the writer`,
      ),
    );
  }, limits.enrolTimeoutMs);
  let close: () => void;
  if (process.versions['bun'] === undefined) close = readWithSocket(fd, memory, resolve, reject);
  else close = readWithThread(fd, memory, resolve, reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    close();
  }
}

/** Node: a blocked read in its thread pool would keep even process.exit() waiting, so the event loop reads. */
function readWithSocket(
  fd: number,
  memory: Buffer,
  resolve: (length: number) => void,
  reject: (error: unknown) => void,
): () => void {
  let length = 0;
  // `onread` makes libuv read into this one buffer instead of allocating for each chunk.
  const buffer = Buffer.alloc(memory.length);
  const socket = new Socket({
    fd,
    readable: true,
    writable: false,
    onread: {
      buffer,
      callback: (count: number) => {
        length += buffer.copy(memory, length, 0, count);
        buffer.fill(0);
        if (length < memory.length) return true;
        resolve(length);
        return false;
      },
    },
  });
  socket.on('end', () => resolve(length)).on('error', reject);
  socket.resume();
  return () => void socket.destroy();
}

/** Bun 1.4.5 does not read a Socket made of a descriptor; its threads do not hold up the exit. */
function readWithThread(
  fd: number,
  memory: Buffer,
  resolve: (length: number) => void,
  reject: (error: unknown) => void,
): () => void {
  let length = 0;
  let finished = false;
  const next = (): void => {
    read(fd, memory, length, memory.length - length, null, (error, count) => {
      if (finished) return;
      if (error) return reject(error);
      length += count;
      if (count === 0 || length === memory.length) return resolve(length);
      return next();
    });
  };
  next();
  return () => {
    finished = true;
    closeSync(fd);
  };
}

function tokenFrom(
  { memory, read }: { readonly memory: Buffer; readonly read: number },
  place: string,
  limits: Limits,
  file?: { readonly path: string; readonly identity: FileIdentity },
): SessionToken {
  const refuse = (code: 'token_unreadable' | 'token_malformed', reason: string): never => {
    memory.fill(0);
    throw new ProxyError(code, `${place}: ${reason}`);
  };
  let length = read;
  if (length > limits.tokenBytesMax)
    refuse('token_unreadable', `it is larger than ${limits.tokenBytesMax} bytes`);
  // Editors and `echo` end the file with a newline.
  while (length > 0 && isLineEnd(memory[length - 1])) length -= 1;
  if (length === 0) refuse('token_malformed', 'it is empty');
  for (let i = 0; i < length; i++) {
    if (!isTokenByte(memory[i] ?? 0)) refuse('token_malformed', 'it holds a character that no token has');
  }
  return new SessionToken(memory, length, file);
}

const isLineEnd = (byte: number | undefined): boolean => byte === 0x0a || byte === 0x0d;

/** RFC 6750 §2.1 `b64token`: letters, digits and -._~+/= ; anything else could end the header line it travels in. */
function isTokenByte(byte: number): boolean {
  const letter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
  const digit = byte >= 0x30 && byte <= 0x39;
  return letter || digit || '-._~+/='.includes(String.fromCharCode(byte));
}

function identityOf(stats: BigIntStats): FileIdentity {
  return { device: stats.dev, inode: stats.ino, modifiedNs: stats.mtimeNs, size: stats.size };
}

function sameFile(a: FileIdentity, b: FileIdentity): boolean {
  return a.device === b.device && a.inode === b.inode && a.modifiedNs === b.modifiedNs && a.size === b.size;
}

function eraseFile(path: string, expected: FileIdentity): void {
  const readFd = openSync(
    path,
    constants.O_RDONLY | constants.O_NOFOLLOW | closeOnExec | constants.O_NONBLOCK,
  );
  try {
    if (!sameFile(identityOf(fstatSync(readFd, { bigint: true })), expected)) {
      throw new Error('the file was replaced or changed after it was read, so it was left alone');
    }
    overwrite(path, readFd, expected);
    const stats = lstatSync(path, { bigint: true });
    if (stats.dev !== expected.device || stats.ino !== expected.inode) {
      throw new Error('the file was replaced while it was erased; the old one is overwritten');
    }
    unlinkSync(path);
  } finally {
    closeSync(readFd);
  }
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined)
    throw new Error('something is at its path again');
}

/** Overwriting defeats a hard link made later and a descriptor opened earlier; unlinking alone does not. */
function overwrite(path: string, readFd: number, expected: FileIdentity): void {
  // A file of mode 0400 has to be opened for writing; works for its owner.
  if ((fstatSync(readFd).mode & 0o200) === 0) fchmodSync(readFd, 0o600);
  const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW | closeOnExec | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd, { bigint: true });
    if (stats.dev !== expected.device || stats.ino !== expected.inode)
      throw new Error('the file was replaced');
    const zeros = Buffer.alloc(Number(expected.size));
    let written = 0;
    while (written < zeros.length) written += writeSync(fd, zeros, written, zeros.length - written, written);
    fsyncSync(fd);
    ftruncateSync(fd, 0);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
