// What `run` and `agent` say of capture on loopback.

import type { UpstreamProxy } from '../../agent/init.ts';

/** One line, or nothing where there is no such capture. */
export function captureNote({ loopbackCapture }: Pick<UpstreamProxy, 'loopbackCapture'>): string {
  if (loopbackCapture === undefined) return '';
  const { takenPorts } = loopbackCapture;
  const without = takenPorts.length === 0 ? '' : `; without ${takenPorts.join(', ')}, where a server listens`;
  return `upstreamproxy: captured on loopback, for all of this container: a convenience, no wall${without}\n`;
}
