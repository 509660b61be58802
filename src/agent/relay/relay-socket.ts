// Unix sockets of the agent: a file of this user alone in a folder of this user alone, and each peer is asked for.

import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, isAbsolute } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { openSystemCalls } from '../../system/ffi.ts';
import { isServed, peerUid, socketPathBytesMax } from '../../system/unix-socket.ts';

export interface PrivateSocketOptions {
  /** Absolute. */
  readonly path: string;
  /** What it is, in errors. */
  readonly name: string;
  readonly connectionsMax: number;
  readonly accept: (socket: Socket) => void;
  /** Told of each peer that was refused. */
  readonly onRefused: (reason: string) => void;
}

/**
 * Listens on a Unix socket of mode 0600 in a folder of mode 0700. A socket that a dead relay left is replaced. Throws
 * config_invalid for a path that others could reach, relay_port_in_use for one on which somebody listens.
 */
export async function listenPrivateSocket(options: PrivateSocketOptions): Promise<Server> {
  const { path, name, connectionsMax, accept, onRefused } = options;
  const refused = (why: string): ProxyError => new ProxyError('config_invalid', `${name} ${path}: ${why}`);
  if (!isAbsolute(path) || Buffer.byteLength(path) > socketPathBytesMax)
    throw refused(`it must be an absolute path of at most ${socketPathBytesMax} bytes`);
  await preparePrivateFolder(path, refused);
  await removeStale(path, refused);
  const calls = openSystemCalls();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    // A Unix socket knows no reset; the runtime would throw.
    socket.resetAndDestroy = () => socket.destroy();
    const uid = peerUid(calls, socket);
    if (uid === process.geteuid?.()) return accept(socket);
    onRefused(uid === undefined ? 'its user cannot be known' : `user ${uid} may not use it`);
    socket.on('error', () => {});
    socket.destroy();
  });
  server.maxConnections = connectionsMax;
  server.once('close', () => calls[Symbol.dispose]());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(path, resolve);
  try {
    await promise;
    // The folder has kept others out since before the file was there.
    await chmod(path, 0o600);
  } catch (error) {
    server.close();
    throw refused(faultReason(error));
  }
  return server;
}

type Refused = (why: string) => ProxyError;

async function preparePrivateFolder(path: string, refused: Refused): Promise<void> {
  const folder = dirname(path);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const status = await lstat(folder);
    const isPrivate =
      status.isDirectory() && status.uid === process.geteuid?.() && (status.mode & 0o077) === 0;
    if (!isPrivate) throw refused(`${folder} must be a folder of this user with mode 0700`);
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    throw refused(faultReason(error));
  }
}

/** Only a socket on which nobody listens is removed; anything else at that path stays. */
async function removeStale(path: string, refused: Refused): Promise<void> {
  const status = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw refused(faultReason(error));
  });
  if (status === undefined) return;
  if (!status.isSocket()) throw refused('something that is no socket is there');
  if (await isServed(path)) throw new ProxyError('relay_port_in_use', `${path} is taken by another process`);
  await unlink(path);
}
