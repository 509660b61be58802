// A body over HTTP/2 that waits to be read costs about what it counts: node keeps an object for each frame, and with it the whole
// piece of the connection that the frame came in.

import type { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';

import { TunnelInboundQueue, compact } from '../../net/tunnel-inbound-queue.ts';

/** What comes while something waits already is kept together, and goes on as the reader takes it. */
export function keepCompact(stream: Readable): void {
  const queue = new TunnelInboundQueue();
  const push = stream.push.bind(stream);
  const read = stream.read.bind(stream);
  const readOn = stream._read.bind(stream);
  let isStopped = false;
  let endsThere = false;
  const refill = (): void => {
    while (stream.readableLength < stream.readableHighWaterMark) {
      const piece = queue.shift();
      if (piece === undefined) break;
      push(piece);
    }
    if (queue.bytes > 0 || stream.destroyed) return;
    if (endsThere) {
      endsThere = false;
      // Not from inside of `read`: whoever reads at the end's event would overtake what it is about to give.
      process.nextTick(() => push(null));
    } else if (isStopped) {
      isStopped = false;
      readOn(stream.readableHighWaterMark);
    }
  };
  stream.push = (chunk: Buffer | null): boolean => {
    if (chunk === null) {
      if (queue.bytes === 0) return push(null);
      endsThere = true;
      return false;
    }
    if (queue.bytes === 0 && stream.readableLength === 0)
      return push(stream.readableFlowing === true ? chunk : compact(chunk));
    queue.push(chunk);
    isStopped = true;
    return false;
  };
  stream.read = (size?: number): Buffer | null => {
    // Typed `any` by Readable; without `setEncoding` it is this.
    const chunk = read(size) as Buffer | null;
    if (chunk !== null) refill();
    return chunk;
  };
  stream.once('close', () => queue.clear());
}
