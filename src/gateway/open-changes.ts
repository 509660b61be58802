// Which changes of the store this process has taken, over all that follows some of them; and what it does when the store went back.

import { asProxyError, ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';
import type { Store } from '../store/store.ts';
import type { GatewayAccess } from './access/open-access.ts';
import { observedSink } from './audit/alarms.ts';
import type { DurableAuditSink } from './audit/audit-log.ts';
import { SessionAudit } from './audit/session-audit.ts';
import { type AssertedAgain, assertAgain } from './changes/assert-again.ts';
import type { KnownStore } from './changes/known-store.ts';
import type { RecentSessions } from './changes/recent-sessions.ts';
import type { StoreHistory, WayBack } from './changes/store-history.ts';
import { TakenChanges } from './changes/taken-changes.ts';
import type { Start } from './gateway-start.ts';
import type { HandingPeer } from './peers/asked-peers.ts';
import type { Policies } from './policies/open-policies.ts';
import type { SessionService } from './sessions/session-service.ts';

/** Of a store that can go back: whether it did, and what began here lately. */
export interface KnownHistory {
  readonly history: StoreHistory;
  readonly recent: RecentSessions;
  /** Of a store that can be away: what it last said. */
  readonly known: KnownStore | undefined;
}

interface Following extends KnownHistory {
  /** Who handed over what this gateway started with. */
  readonly from: HandingPeer | undefined;
  readonly store: Store;
  readonly audit: DurableAuditSink;
  readonly sessions: SessionService;
  readonly policies: Policies;
  readonly access: GatewayAccess;
}

/** What follows the store has read it; from here on it is said how far. */
export async function openChanges(start: Start, following: Following): Promise<TakenChanges> {
  const { stack, onFault } = start;
  const { store, history, sessions, policies, access } = following;
  const { watch } = sessions;
  watch.onEnded((id) => {
    const ending = watch.ended.find(id);
    if (ending !== undefined) following.recent.end(id, ending, start.clock());
  });
  history.onWayBack((way) => assertKnown(start, following, way));
  const handFollowers = [policies, access].map((one) => () => one.taken());
  const followers = [() => watch.taken(), ...handFollowers];
  const handed = following.from?.place;
  const standIns = (): number => following.known?.standIns ?? 0;
  return stack.use(
    await TakenChanges.open({ store, history, followers, standIns, handed, handFollowers, onFault }),
  );
}

/** Tells the store again what is known here, and the operator that it had to be told. */
async function assertKnown(
  { clock, onFault, onSessionEvent }: Start,
  { store, audit, recent, sessions }: Following,
  way: WayBack,
): Promise<void> {
  const nowMs = clock();
  const { watch } = sessions;
  const endings = watch.ended.latest(defaultLimits.recentSessionsMax);
  const asserted = await assertAgain(store.sessions, { recent, endings }, nowMs);
  // Those that the store has get their numbers of now.
  watch.ended.forgetNumbers();
  await watch.again();
  // It holds whether or not the audit has it.
  await tell(new SessionAudit(observedSink(audit, onSessionEvent)), way, { asserted, nowMs }).catch(
    (error: unknown) => onFault(asProxyError(error)),
  );
}

async function tell(
  audit: SessionAudit,
  { from, to }: WayBack,
  { asserted, nowMs }: { readonly asserted: AssertedAgain; readonly nowMs: number },
): Promise<void> {
  const { sessions, endings, reused } = asserted;
  await audit.record({
    action: 'store_went_back',
    nowMs,
    message:
      `The store went back from change ${from.number} to ${to.number}, or is another one: it lost what came last. ` +
      `This gateway told it again ${sessions} sessions and ${endings} endings; look at grants, policies and tokens of operators.`,
    details: { from: { ...from }, to: { ...to }, sessions, endings, tokensReused: reused.length },
  });
  for (const { sessionId, by } of reused)
    await audit.record({
      action: 'token_reused',
      nowMs,
      sessionId: by,
      error: new ProxyError(
        'token_reused',
        `The session token of this session was used once more, for session ${sessionId}, while the store did not know of it; that session was revoked.`,
      ),
    });
}
