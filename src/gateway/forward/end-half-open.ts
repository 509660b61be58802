// A connection whose other side is over: what its client does with it from then on has an end.

import type { Duplex } from 'node:stream';

/**
 * Ends `socket` a while after `onward` has ended or gone: a client that neither reads the end nor ends its own side, or that goes on to
 * send for nobody, would hold a descriptor and whatever is counted for it.
 */
export function endBehind(socket: Duplex, onward: Duplex, timeoutMs: number): void {
  let timer: NodeJS.Timeout | undefined;
  const over = (): void => {
    timer ??= setTimeout(() => socket.destroy(), timeoutMs).unref();
  };
  onward.once('end', over).once('close', over);
  socket.once('close', () => clearTimeout(timer));
}
