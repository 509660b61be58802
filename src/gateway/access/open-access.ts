// Requests for access put together: the grants in force, and the desk that takes requests, if that is enabled.

import type { Policy } from '../../policy/decision.ts';
import { NarrowedPolicy } from '../../policy/narrowed-policy.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { AccessRecord } from '../../store/access-store.ts';
import type { Store } from '../../store/store.ts';
import { AccessDesk } from './access-desk.ts';
import { AccessGrants, withOwnHost } from './access-grants.ts';
import { describeAsked } from './access-request.ts';
import type { DurableAuditSink } from '../audit/audit-log.ts';
import type { Emulations } from '../credentials/emulation/emulations.ts';
import type { GatewayConfig } from '../config/config.ts';
import { SessionAudit, type SessionStep } from '../audit/session-audit.ts';

export interface GatewayAccessInput {
  readonly config: Pick<GatewayConfig, 'access' | 'limits'>;
  readonly store: Store;
  readonly audit: DurableAuditSink;
  /** The policy of the files. */
  readonly base: () => Policy;
  /** They say at which hosts of clouds the gateway responds. */
  readonly credentials: { readonly emulations: Pick<Emulations, 'hosts'> };
  readonly clock: () => number;
  readonly onFault: (error: ProxyError) => void;
  readonly stack: AsyncDisposableStack;
  readonly isOnDuty?: () => boolean;
}

export interface GatewayAccess {
  /** What decides: the policy of the files, with the grants in force on top. */
  readonly policy: () => Policy;
  readonly desk?: AccessDesk;
  readonly onChange: (listener: (policy: Policy) => void) => void;
  /** Whether what was decided before this call holds. */
  readonly taken: () => Promise<boolean>;
}

export async function openAccess(input: GatewayAccessInput): Promise<GatewayAccess> {
  const { config, store, clock, onFault, stack, isOnDuty = () => true } = input;
  const base = withNarrowed(input.base);
  const emulated = input.credentials.emulations.hosts;
  if (!config.access.enabled)
    return {
      policy: withoutGrants(base, { limits: config.limits, emulated }),
      onChange: () => undefined,
      taken: () => Promise.resolve(true),
    };
  const audit = new SessionAudit(input.audit);
  const { limits } = config;
  const grants = stack.use(
    await AccessGrants.open({
      store: store.access,
      base,
      limits,
      emulated,
      clock,
      onFault,
      isOnDuty,
      onEnded: (record) => audit.record(endedStep(record, clock())),
    }),
  );
  stack.defer(store.onChange(() => grants.lookSoon()));
  const policy = (): Policy => grants.policy();
  const desk = new AccessDesk({ store: store.access, audit, policy, limits, clock });
  return {
    policy,
    desk,
    onChange: (listener) => {
      grants.onChange(listener);
    },
    taken: () => grants.taken(),
  };
}

/** Sessions that others made are judged by their own policies too. */
export function withNarrowed(base: () => Policy): () => Policy {
  let made: { readonly base: Policy; readonly policy: Policy } | undefined;
  return () => {
    const now = base();
    if (made?.base !== now) made = { base: now, policy: new NarrowedPolicy(now) };
    return made.policy;
  };
}

/** The gateway still responds at its own name, so that clients can be seen to reach it. */
function withoutGrants(base: () => Policy, own: Parameters<typeof withOwnHost>[2]): () => Policy {
  let made: { readonly base: Policy; readonly policy: Policy } | undefined;
  return () => {
    const now = base();
    if (made?.base !== now) made = { base: now, policy: withOwnHost(now, [], own) };
    return made.policy;
  };
}

function endedStep(record: AccessRecord, nowMs: number): SessionStep {
  const { id, sessionId, principalId, state } = record;
  const what = state === 'granted' ? 'The grant' : 'The request, which nobody decided,';
  return {
    action: 'access_ended',
    nowMs,
    sessionId,
    principal: principalId,
    message: `${what} ${id} ended: ${describeAsked(record)}.`,
    details: { id, was: state },
  };
}
