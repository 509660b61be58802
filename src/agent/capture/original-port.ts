// Where a connection was going before the firewall of its network sent it to a port that is captured.

import type { Socket } from 'node:net';
import { openSystemCalls } from '../../system/ffi.ts';
import { systemCallNumbers } from '../../system/system-call-numbers.ts';
import { socketDescriptor } from '../../system/socket-descriptor.ts';

// <linux/netfilter_ipv4.h>; SOL_IP is 0.
const SOL_IP = 0;
const SO_ORIGINAL_DST = 80;
/** struct sockaddr_in: family, port in network order, address, padding. */
const addressBytes = 16;

/** Undefined: the connection is gone. A connection that was not sent elsewhere has the port that it arrived on. */
export type OriginalPort = (socket: Socket) => number | undefined;

/** Asks the kernel for each connection. Throws an Error with the runtime's own words if foreign functions cannot be had. */
export function openOriginalPort(): Disposable & { readonly of: OriginalPort } {
  const calls = openSystemCalls();
  const { getsockopt } = systemCallNumbers();
  return {
    of(socket) {
      const fd = socketDescriptor(socket);
      if (fd === undefined) return undefined;
      const address = Buffer.alloc(addressBytes);
      const length = new Uint8Array(Uint32Array.of(addressBytes).buffer);
      const result = calls.call(getsockopt, fd, SOL_IP, SO_ORIGINAL_DST, address, length);
      // ENOENT: it is where it was going.
      return result < 0 ? socket.localPort : address.readUInt16BE(2);
    },
    [Symbol.dispose]: () => calls[Symbol.dispose](),
  };
}
