// The relay's Unix socket: a file of this user alone in a folder of this user alone, and each peer is asked for.

import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, isAbsolute } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import type { Limits } from '../../protocol/limits.ts';
import { openSystemCalls, type SystemCalls } from '../../system/ffi.ts';
import { systemCallNumbers } from '../../system/system-call-numbers.ts';
import { socketDescriptor } from '../../system/socket-descriptor.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** `sun_path` of `man 7 unix` has 108 bytes with the last 0. */
const pathBytesMax = 107;

export interface RelaySocketOptions {
  /** Absolute. */
  readonly path: string;
  readonly limits: Limits;
  readonly accept: (socket: Socket) => void;
  /** Told of each peer that was refused. */
  readonly onRefused: (reason: string) => void;
}

/**
 * Listens on a Unix socket of mode 0600 in a folder of mode 0700. A socket that a dead relay left is replaced. Throws
 * config_invalid for a path that others could reach, relay_port_in_use for one on which somebody listens.
 */
export async function listenRelaySocket(options: RelaySocketOptions): Promise<Server> {
  const { path, limits, accept, onRefused } = options;
  if (!isAbsolute(path) || Buffer.byteLength(path) > pathBytesMax)
    throw refused(path, `it must be an absolute path of at most ${pathBytesMax} bytes`);
  await preparePrivateFolder(path);
  await removeStale(path);
  const calls = openSystemCalls();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    // A Unix socket knows no reset; the runtime would throw.
    socket.resetAndDestroy = () => socket.destroy();
    const uid = peerUid(calls, socket);
    if (uid === process.geteuid?.()) return accept(socket);
    onRefused(
      uid === undefined ? 'a peer of the relay socket cannot be known' : `user ${uid} may not use it`,
    );
    socket.on('error', () => {});
    socket.destroy();
  });
  server.maxConnections = limits.streamsMax;
  server.once('close', () => calls[Symbol.dispose]());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(path, resolve);
  try {
    await promise;
    // The folder has kept others out since before the file was there.
    await chmod(path, 0o600);
  } catch (error) {
    server.close();
    throw refused(path, faultReason(error));
  }
  return server;
}

async function preparePrivateFolder(path: string): Promise<void> {
  const folder = dirname(path);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const status = await lstat(folder);
    const isPrivate =
      status.isDirectory() && status.uid === process.geteuid?.() && (status.mode & 0o077) === 0;
    if (!isPrivate) throw refused(path, `${folder} must be a folder of this user with mode 0700`);
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    throw refused(path, faultReason(error));
  }
}

/** Only a socket on which nobody listens is removed; anything else at that path stays. */
async function removeStale(path: string): Promise<void> {
  const status = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw refused(path, faultReason(error));
  });
  if (status === undefined) return;
  if (!status.isSocket()) throw refused(path, 'something that is no socket is there');
  if (await isServed(path)) throw new ProxyError('relay_port_in_use', `${path} is taken by another process`);
  await unlink(path);
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    // ECONNREFUSED: nobody; EAGAIN: somebody whose queue is full.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EAGAIN'));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** The user at the other end, as it was when it connected (`man 7 unix`); undefined if the kernel does not say. */
function peerUid(calls: SystemCalls, socket: Socket): number | undefined {
  const fd = socketDescriptor(socket);
  // Without it nobody is let in.
  if (fd === undefined) return undefined;
  // struct ucred { pid, uid, gid }, each of 32 bits.
  const credentials = new Uint32Array(3);
  const bytes = new Uint8Array(credentials.buffer);
  const length = new Uint8Array(Uint32Array.of(bytes.length).buffer);
  const { getsockopt } = systemCallNumbers();
  const result = calls.call(getsockopt, fd, SOL_SOCKET, SO_PEERCRED, bytes, length);
  if (result < 0) return undefined;
  return credentials[1];
}

function refused(path: string, reason: string): ProxyError {
  return new ProxyError('config_invalid', `the relay socket ${path}: ${reason}`);
}
