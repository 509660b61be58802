// A step between two sides that takes what one of them sends, at once. What it throws ends these two sides: Node would hand it to whoever
// writes, which is a socket, and so to the process.

import { Transform } from 'node:stream';
import { asProxyError } from '../../protocol/error.ts';

export interface ByteStep {
  /** Pushes what goes on. */
  readonly take: (chunk: Buffer, through: Transform) => void;
  /** Pushes what stands behind the last. */
  readonly end?: (through: Transform) => void;
}

export function byteStep({ take, end }: ByteStep): Transform {
  const through: Transform = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(faultOf(() => take(chunk, through)));
    },
    flush(done) {
      done(faultOf(() => end?.(through)));
    },
  });
  return through;
}

function faultOf(act: () => void): Error | null {
  try {
    act();
    return null;
  } catch (error) {
    return asProxyError(error);
  }
}
