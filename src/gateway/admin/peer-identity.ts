// Who is at the other end of the admin socket, by the kernel's word.

import type { Socket } from 'node:net';
import { openSystemCalls } from '../../system/ffi.ts';
import { peerUid } from '../../system/unix-socket.ts';
import { overflowUid } from '../config/config-check.ts';

/** The user that connected, when it did. Undefined where the kernel does not say, or only that it is one it has no number for. */
export function knownPeerUid(socket: Socket): number | undefined {
  try {
    using system = openSystemCalls();
    const uid = peerUid(system, socket);
    return uid === overflowUid ? undefined : uid;
  } catch {
    return undefined;
  }
}
