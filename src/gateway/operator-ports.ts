// The ports that are for operators and for other gateways alone: nothing of a workload leads there.

import { adminPlaces } from './config/admin-settings.ts';
import type { GatewayConfig } from './config/config.ts';
import type { LoopGuard } from './forward/loop-guard.ts';
import { peerPorts } from './open-peers.ts';

/** Known before they are open, so that no worker dials one of another process. */
export function keepOperatorPorts(
  { metrics, admin, callbacks, peers, proxy }: GatewayConfig,
  loops: LoopGuard,
  workers: number,
): void {
  for (const place of [
    metrics,
    proxy,
    ...adminPlaces(admin?.listen),
    ...adminPlaces(callbacks?.listen),
    ...peerPorts(peers, workers),
  ])
    if (place !== undefined && place.port !== 0) loops.keepForOperators(place.address, place.port);
}
