// What the other side said before it closed can be read when a write to it fails. Node throws it away with the socket.

import type { Socket } from 'node:net';

/**
 * From now on a failed write does not destroy `socket`: `onFailed` is told once, and reads of a socket that has memory for them
 * (`shareReads`, `onread`) go on to its `end`. Who calls this ends the socket soon after. Gives what undoes it.
 */
export function keepReadable(socket: Socket, onFailed: (error: Error) => void): () => void {
  let isUndone = false;
  let hasFailed = false;
  const destroy = socket.destroy.bind(socket);
  socket.destroy = (error?: Error): typeof socket => {
    if (isUndone || error === undefined || !isOfWrite(error)) return destroy(error);
    // Several writes can be on their way, and each fails.
    if (hasFailed) return socket;
    hasFailed = true;
    sayEnd(socket);
    onFailed(error);
    return socket;
  };
  return () => (isUndone = true);
}

/** A stream that had an error says no `end` by itself. */
function sayEnd(socket: Socket): void {
  const push = socket.push.bind(socket);
  socket.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    const wantsMore = push(chunk, encoding);
    if (chunk === null) socket.emit('end');
    return wantsMore;
  };
}

function isOfWrite(error: NodeJS.ErrnoException): boolean {
  return error.syscall === 'write';
}
