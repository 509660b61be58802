// The way out of what is no gateway that serves: before one does, and for commands.

import type { GatewayConfig } from './config/config.ts';
import { LoopGuard } from './forward/loop-guard.ts';
import { loadTrust } from './gateway-parts.ts';
import { readUpstreamFiles } from './open-exits.ts';
import { openUpstream } from './upstream.ts';

export interface OwnUpstreamOptions {
  readonly config: GatewayConfig;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: () => number;
  /** What is opened for it ends with this. */
  readonly stack: AsyncDisposableStack;
}

export async function openOwnUpstream({
  config,
  environment,
  clock,
  stack,
}: OwnUpstreamOptions): Promise<ReturnType<typeof openUpstream>> {
  return openUpstream({
    config,
    clock,
    trust: await loadTrust(config),
    files: await readUpstreamFiles(config),
    environment,
    stack,
    loops: new LoopGuard(),
  });
}
