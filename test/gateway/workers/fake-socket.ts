// A connection as far as those look at it who only hand it on.

import { Socket } from 'node:net';

/** Not connected; it says that it comes from there. */
export function fakeSocket(address: string): Socket {
  return Object.defineProperty(new Socket(), 'remoteAddress', { value: address });
}
