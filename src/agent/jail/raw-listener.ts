// Listening sockets by system call. `listen({ host })` of Node looks a numeric address up and tries it for IPv6, which loads
// its resolver and compiles a large expression: 5 ms of each start of a helper that has four of them to open.

import type { SystemCalls } from '../../system/ffi.ts';
import { requireDone } from '../../system/kernel-fault.ts';
import type { SystemCallNumbers } from '../../system/system-call-numbers.ts';
import { defaultLimits } from '../../protocol/limits.ts';

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK_CLOEXEC = 0x800 | 0x80000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const sockaddrBytes = 16;

/** How a thread makes system calls. */
export interface Kernel {
  readonly calls: SystemCalls;
  readonly numbers: SystemCallNumbers;
}

/** An IPv4 address in dotted form and a port. */
export interface ListenerAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Binds a socket in the network of the calling thread and, for TCP, listens. Returns the descriptor, which the caller
 * owns; it is closed at exec. Throws an Error with the address and the errno.
 */
export function openRawListener(
  { calls, numbers }: Kernel,
  transport: 'tcp' | 'udp',
  { host, port }: ListenerAddress,
): number {
  const kind = transport === 'tcp' ? SOCK_STREAM : SOCK_DGRAM;
  const place = `cannot listen on ${host}:${port} (${transport})`;
  const socket = requireDone(place, calls.call(numbers.socket, AF_INET, kind | SOCK_NONBLOCK_CLOEXEC, 0));
  try {
    if (transport === 'tcp') {
      const on = Buffer.from([1, 0, 0, 0]);
      const set = calls.call(numbers.setsockopt, socket, SOL_SOCKET, SO_REUSEADDR, on, on.length);
      requireDone(place, set);
    }
    requireDone(place, calls.call(numbers.bind, socket, socketAddress(host, port), sockaddrBytes));
    if (transport === 'tcp')
      requireDone(place, calls.call(numbers.listen, socket, defaultLimits.jailBacklogMax));
    return socket;
  } catch (error) {
    calls.call(numbers.close, socket);
    throw error;
  }
}

/** struct sockaddr_in of ip(7): the family in the machine's order, port and address in that of the network. */
function socketAddress(host: string, port: number): Buffer {
  const address = Buffer.alloc(sockaddrBytes);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt16BE(port, 2);
  address.set(host.split('.').map(Number), 4);
  return address;
}
