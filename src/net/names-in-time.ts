// The names behind a host, as far as they are known when its connection stands: they are for the audit, and hold up nothing.

import type { Duplex } from 'node:stream';

/** They were asked for before the connection was begun, so that most are there by then. */
const graceMs = 300;

export interface WaitedFor {
  /** A connection that nobody else listens to yet: an error that nobody hears ends the process. */
  readonly socket?: Duplex;
  readonly signal: AbortSignal | undefined;
}

/** None if they do not come in time, or the connection or the signal ends first. Never rejects. */
export async function namesInTime(
  names: Promise<readonly string[]>,
  { socket, signal }: WaitedFor,
): Promise<readonly string[]> {
  const { promise: over, resolve } = Promise.withResolvers<readonly string[]>();
  const stop = (): void => resolve([]);
  const timer = setTimeout(stop, graceMs);
  socket?.on('error', stop).on('close', stop);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([names, over]);
  } finally {
    clearTimeout(timer);
    socket?.off('error', stop).off('close', stop);
    signal?.removeEventListener('abort', stop);
  }
}
