// In whose name an exchange is counted: a session that another made takes from what that has, and from what its own policy leaves it.

import type { AllowDecision, Principal } from '../../policy/decision.ts';
import type { RequestHead } from '../../http/message-head.ts';
import type { LeaseSession } from '../credentials/leases/session-leases.ts';
import type { BudgetOwner } from '../../store/budget-store.ts';
import type { SpendBytes } from '../forward/metered-stream.ts';
import { countedLimits, type Limited } from './counted-limits.ts';
import type { SessionBudgets } from './session-budgets.ts';

interface Account {
  readonly sessionId: string;
  readonly counted: Limited;
}

/** The session that began by a token, whose limits are those of all that it made. */
export function ownerOf({ sessionId, narrowed }: Pick<Principal, 'sessionId' | 'narrowed'>): string {
  return narrowed?.rootId ?? sessionId;
}

/** In whose name a lease of its own is. */
export function leaseSessionOf(
  principal: Pick<Principal, 'id' | 'sessionId' | 'narrowed' | 'claims'>,
): LeaseSession {
  return { rootId: ownerOf(principal), principalId: principal.id, claims: principal.claims };
}

/** The same, and whose it is. */
export function accountOf(principal: Pick<Principal, 'id' | 'sessionId' | 'narrowed'>): BudgetOwner {
  return { sessionId: ownerOf(principal), principalId: principal.id };
}

/** The limits of the rule, and those that narrowed what asks. */
export function accountsOf(
  principal: Pick<Principal, 'sessionId' | 'narrowed'>,
  decision: Pick<AllowDecision, 'rule' | 'limits' | 'budget' | 'narrowed'>,
): readonly Account[] {
  return [
    { sessionId: ownerOf(principal), counted: decision },
    ...(decision.narrowed ?? []).map((one) => ({ sessionId: one.sessionId, counted: one })),
  ];
}

/** Limits of octets and URLs, one by one, each with whose it is: what a decision made is paid from the same if it is here and there. */
export function octetsOf(accounts: readonly Account[]): readonly string[] {
  return accounts.flatMap(({ sessionId, counted: { rule, limits, budget = `rule ${rule.name}` } }) =>
    octetLimits.flatMap((limit) => {
      const max = limits[limit];
      return max === undefined ? [] : [JSON.stringify([sessionId, budget, limit, max, limits.whenStoreAway])];
    }),
  );
}

/** Of an operation on a WebSocket only requests are counted; the rest was when that was opened, or is as it passes. */
const octetLimits = countedLimits.filter((limit) => limit !== 'requestsPerSession');

/**
 * Asks for each account, the innermost first: what it refuses has taken nothing of those above it. Gives what bytes are paid with,
 * in each account that counts them.
 */
export async function spendFor(
  accounts: readonly Account[],
  admit: (sessionId: string, counted: Limited) => Promise<SpendBytes | undefined>,
): Promise<SpendBytes | undefined> {
  const payers: SpendBytes[] = [];
  for (const { sessionId, counted } of accounts.toReversed()) {
    const payer = await admit(sessionId, counted);
    if (payer !== undefined) payers.push(payer);
  }
  if (payers.length < 2) return payers[0];
  return (bytes) => {
    const unpaid = payers.map((pay) => pay(bytes)).filter((wait) => wait !== undefined);
    return unpaid.length === 0 ? undefined : Promise.all(unpaid).then(() => undefined);
  };
}

/** Whether the rule, or what narrowed the session, counts anything of a request. */
export function isCounted({ limits, narrowed }: Pick<AllowDecision, 'limits' | 'narrowed'>): boolean {
  if (narrowed !== undefined && narrowed.length > 0) return true;
  if (limits.requestsPerSecond !== undefined) return true;
  return countedLimits.some((limit) => limits[limit] !== undefined);
}

interface Payers {
  readonly spendBytes: SpendBytes | undefined;
  readonly spendOut: SpendBytes | undefined;
}

/** With what a request is paid that nobody counts. */
export const uncounted: Payers = { spendBytes: undefined, spendOut: undefined };

/** What a request is paid with, of both directions and of what its client sends. @throws ProxyError limit_exceeded, store_unavailable */
export async function countExchange(
  principal: Principal,
  decision: AllowDecision,
  head: RequestHead,
  { budgets, clock }: { readonly budgets: SessionBudgets; readonly clock: () => number },
): Promise<Payers> {
  const accounts = accountsOf(principal, decision);
  return {
    spendBytes: await spendFor(accounts, (sessionId, counted) => budgets.admit(sessionId, counted, clock())),
    spendOut: await spendFor(accounts, (sessionId, counted) =>
      budgets.information.admit(sessionId, counted, head, clock()),
    ),
  };
}
