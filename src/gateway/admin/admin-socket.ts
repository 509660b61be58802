// The Unix socket of the admin API: in a folder of the gateway's own, which nobody else may enter.

import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import type { Server } from 'node:net';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { isServed, socketPathBytesMax } from '../../system/unix-socket.ts';

/** Lets the server listen there. @throws ProxyError gateway_port_unusable */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > socketPathBytesMax)
    throw unusable(
      path,
      `its path has more than ${socketPathBytesMax} bytes; name a shorter one under admin.socket`,
    );
  try {
    await ownFolder(dirname(path));
    await removeStale(path);
    const listening = once(server, 'listening');
    server.listen(path);
    await listening;
    // The folder keeps others out until this is done.
    await chmod(path, 0o600);
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    throw unusable(path, faultReason(error), error);
  }
}

async function ownFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { mode, uid } = await lstat(folder).then((found) => {
    if (!found.isDirectory()) throw unusable(folder, 'it is no folder');
    return found;
  });
  const own = process.geteuid?.() ?? 0;
  if ((mode & 0o077) !== 0 || (uid !== own && uid !== 0))
    throw unusable(
      folder,
      'others may enter the folder of the socket; name one of mode 700 that is yours under admin.socket',
    );
}

/** What an earlier process left. @throws ProxyError if somebody listens there */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw unusable(path, 'something else has this name; move it away');
  if (await isServed(path))
    throw unusable(path, 'another gateway serves it; give each its own under admin.socket');
  await unlink(path);
}

function unusable(path: string, why: string, cause?: unknown): ProxyError {
  return new ProxyError('gateway_port_unusable', `the admin API cannot be served at ${path}: ${why}`, {
    cause,
  });
}
