// What is known against packages, where the configuration says so, and who is told when it becomes old.

import { asProxyError } from '../protocol/error.ts';
import type { SessionAudit } from './audit/session-audit.ts';
import type { Start } from './gateway-start.ts';
import { LiveAdvisories } from './packages/advisories/live-advisories.ts';

/** Undefined: the configuration has none. */
export async function openAdvisories(
  { config, stack, clock, log, onFault, isOnDuty }: Start,
  record: SessionAudit['record'],
): Promise<LiveAdvisories | undefined> {
  if (config.advisories === undefined) return undefined;
  const live = await LiveAdvisories.open({
    ...config.advisories,
    clock,
    log,
    onFault,
    isOnDuty,
    onStale: (message) => {
      record({ action: 'advisories_stale', nowMs: clock(), message }).catch((error: unknown) =>
        onFault(asProxyError(error)),
      );
    },
  });
  return stack.use(live);
}
