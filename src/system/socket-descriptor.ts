// The descriptor of a socket, for what only a system call can ask it.

import type { Server, Socket } from 'node:net';

/** Undefined if there is none any more. */
export function socketDescriptor(socket: Server | Socket): number | undefined {
  // Both runtimes keep the descriptor here, and nowhere that is documented.
  const { fd } = (socket as { _handle?: { readonly fd?: number } | null })._handle ?? {};
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}
