// Who is at the other end of a Unix socket, by the kernel's word.

import type { Socket } from 'node:net';
import { endianness } from 'node:os';
import { overflowUid } from '../config/config-check.ts';
import { openSystemCalls } from '../../system/ffi.ts';
import { socketDescriptor } from '../../system/socket-descriptor.ts';
import { systemCallNumbers } from '../../system/system-call-numbers.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** `struct ucred`: pid, uid, gid. */
const credentialBytes = 12;

/** The user that connected, when it did. Undefined where the kernel does not say. */
export function peerUid(socket: Socket): number | undefined {
  const descriptor = socketDescriptor(socket);
  if (descriptor === undefined) return undefined;
  try {
    using system = openSystemCalls();
    const [value, length] = [new Uint8Array(credentialBytes), new Uint8Array(4)];
    const lengthView = new DataView(length.buffer);
    const isLittle = endianness() === 'LE';
    lengthView.setUint32(0, credentialBytes, isLittle);
    const { getsockopt } = systemCallNumbers();
    const result = system.call(getsockopt, descriptor, SOL_SOCKET, SO_PEERCRED, value, length);
    if (result !== 0 || lengthView.getUint32(0, isLittle) !== credentialBytes) return undefined;
    const uid = new DataView(value.buffer).getUint32(4, isLittle);
    return uid === overflowUid ? undefined : uid;
  } catch {
    return undefined;
  }
}
