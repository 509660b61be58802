// Unix sockets by name, and who is at their other end.

import { connect, type Socket } from 'node:net';
import type { SystemCalls } from './ffi.ts';
import { socketDescriptor } from './socket-descriptor.ts';
import { systemCallNumbers } from './system-call-numbers.ts';

/** `sun_path` of `man 7 unix` has 108 bytes with the last 0. */
export const socketPathBytesMax = 107;

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** Whether somebody listens at a socket that is there. */
export function isServed(path: string): Promise<boolean> {
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
export function peerUid(calls: SystemCalls, socket: Socket): number | undefined {
  const descriptor = socketDescriptor(socket);
  if (descriptor === undefined) return undefined;
  // struct ucred { pid, uid, gid }, each of 32 bits.
  const credentials = new Uint32Array(3);
  const bytes = new Uint8Array(credentials.buffer);
  const length = Uint32Array.of(bytes.length);
  const { getsockopt } = systemCallNumbers();
  const lengthBytes = new Uint8Array(length.buffer);
  const result = calls.call(getsockopt, descriptor, SOL_SOCKET, SO_PEERCRED, bytes, lengthBytes);
  return result !== 0 || length[0] !== bytes.length ? undefined : credentials[1];
}
