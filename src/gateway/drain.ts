// A gateway that is to end: its tunnels go elsewhere, what runs on them finishes, and what it does not end by itself is ended in time.

import { setTimeout as wait } from 'node:timers/promises';
import type { StreamParts } from './tunnels/stream-scene.ts';
import type { TunnelServer } from './tunnels/tunnel-server.ts';

export interface Draining {
  readonly tunnels: Pick<TunnelServer, 'drain'>;
  readonly parts: Pick<StreamParts, 'front' | 'http2Front'>;
  readonly drainMs: number;
  /** Clients without an agent. */
  readonly drainProxy: (deadlineMs: number) => Promise<void>;
}

/**
 * Resolves when all tunnels are over, or the time is. Agents are told first: a client that was sent away earlier would come back through
 * the same tunnel.
 */
export async function drainGateway({ tunnels, parts, drainMs, drainProxy }: Draining): Promise<void> {
  const { front, http2Front } = parts;
  const endMs = performance.now() + drainMs;
  const over = new AbortController();
  const onTold = async (): Promise<void> => {
    for (const one of [front, http2Front]) one.drain();
    // Until then a client may use a connection that it holds once more, and is told with the response.
    await wait(Math.max(0, (endMs - performance.now()) / 2), undefined, { signal: over.signal });
    for (const one of [front, http2Front]) one.closeIdle();
  };
  const told = tunnels.drain(drainMs, () => void onTold().catch(() => undefined));
  await Promise.all([told, drainProxy(drainMs)]);
  over.abort();
}
