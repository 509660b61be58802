// Who a session is to a policy: of the store, or of what the audit says of its beginning, which is kept longer.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AuditEvent } from '../../api/audit-event.ts';
import type { NarrowingStep, Policy, Principal } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { Posture } from '../../protocol/session-messages.ts';
import type { Store } from '../../store/store.ts';
import { Narrowings } from './narrowings.ts';
import { principalOf } from './session-authenticator.ts';
import { postureFacts } from './session-request.ts';

/** Among so many events of a session is that of its beginning, if it is kept: nothing is done for it before. */
const firstEvents = 10;

export interface RecalledSession extends Principal {
  /** What it was narrowed by is gone or cannot be read. `narrowed` has what allows nothing in its place. */
  readonly isNarrowingGone?: true;
}

/** What decisions need of it. */
export type RecalledFacts = Pick<RecalledSession, 'claims' | 'posture' | 'narrowed' | 'isNarrowingGone'>;

type RecallStore = Pick<Store, 'sessions' | 'audit'>;

/** Undefined: nothing is kept of it. */
export async function recallSession(
  store: RecallStore,
  id: string,
  narrowings = new Narrowings(store.sessions),
): Promise<RecalledSession | undefined> {
  const known = await findKnown(store, id);
  if (known === undefined) return undefined;
  const { principal, above, isForgotten } = known;
  const [rootId, ...others] = above;
  if (rootId === undefined) return principal;
  // It goes with its session.
  const steps = isForgotten ? undefined : await narrowings.of([...others, id]);
  if (steps === undefined || steps instanceof ProxyError)
    return { ...principal, narrowed: { rootId, steps: [goneStep(id)] }, isNarrowingGone: true };
  return { ...principal, narrowed: { rootId, steps } };
}

/** Whose it is, without what it was narrowed by. Undefined: nothing is kept of it. */
export async function recallClaims(store: RecallStore, id: string): Promise<Principal['claims'] | undefined> {
  return (await findKnown(store, id))?.principal.claims;
}

interface Known {
  readonly principal: Principal;
  /** Of one that another session made: those above it, from the root. */
  readonly above: readonly string[];
  /** The audit has it, and the store does not. */
  readonly isForgotten: boolean;
}

async function findKnown(store: RecallStore, id: string): Promise<Known | undefined> {
  const session = await store.sessions.find(id);
  if (session !== undefined)
    return { principal: principalOf(session), above: session.above ?? [], isForgotten: false };
  const begun = await firstEventOf(store, id);
  if (begun === undefined) return undefined;
  const facts = enrolmentFacts(begun);
  const common = { id: begun.principal ?? '', sessionId: id };
  if (facts !== undefined) return { principal: { ...common, ...facts }, above: [], isForgotten: true };
  const above = narrowedFrom(begun);
  if (above === undefined) return undefined;
  // It has the claims and the posture of the one that began by a token.
  const { claims, posture } = (await rootOf(store, above)) ?? unknownFacts;
  return { principal: { ...common, claims, posture }, above, isForgotten: true };
}

const unknownFacts = { claims: {}, posture: [] };

async function rootOf(
  store: RecallStore,
  [rootId = '']: readonly string[],
): Promise<Pick<Principal, 'claims' | 'posture'> | undefined> {
  const session = await store.sessions.find(rootId);
  if (session !== undefined) return principalOf(session);
  const enrolled = await firstEventOf(store, rootId);
  return enrolled === undefined ? undefined : enrolmentFacts(enrolled);
}

/** The event by which it began. Of events that were cut, nothing is taken for a claim. */
async function firstEventOf({ audit }: RecallStore, sessionId: string): Promise<AuditEvent | undefined> {
  // Not by kind, which is no index: it would be looked for in all that the session did.
  const events = await audit.query({ sessionId, limit: firstEvents });
  return events.find(
    ({ action, cut }) => (action === 'enrolled' && cut === undefined) || action === 'narrowed',
  );
}

/** Whom an event `narrowed` names above the session, from the root; undefined of any other. */
export function narrowedFrom({ action, details, cut }: AuditEvent): readonly string[] | undefined {
  if (action !== 'narrowed') return undefined;
  const above: unknown = cut === undefined ? details?.['above'] : undefined;
  // Where it says nothing that can be read, there was one above it all the same.
  return Array.isArray(above) && above.length > 0 ? above.map(String) : [''];
}

/** In place of a policy that is not known: nothing can be shown as allowed by it. */
function goneStep(sessionId: string): NarrowingStep {
  const policy: Policy = {
    version: 'unknown',
    decide: () => ({
      effect: 'deny',
      rule: { name: 'narrowing-gone' },
      reason: 'What this session was narrowed by is not kept, so it cannot be told whether this was allowed.',
      operatorReason: 'it is gone or cannot be read, so it cannot be told what it allowed.',
    }),
    capturePorts: () => [],
    rulesFor: () => ({ rules: [], notShown: 0, isBounded: false, mayBeObserved: false }),
    blindHosts: () => [],
    sshHosts: () => [],
    injected: () => new Set(),
    revokesTokens: false,
    signing: () => undefined,
    changesBetween: () => false,
  };
  return { sessionId, policy };
}

/** Sessions of many events, each asked for once as far as they are remembered. */
export class RecalledSessions {
  readonly #store: RecallStore;
  readonly #narrowings: Narrowings;
  readonly #known = new Map<string, RecalledFacts | undefined>();
  #narrowed = 0;

  constructor(store: RecallStore) {
    this.#store = store;
    this.#narrowings = new Narrowings(store.sessions);
  }

  async recall(ids: readonly (string | undefined)[]): Promise<void> {
    const { adminRememberedSessionsMax, childPoliciesKeptMax } = defaultLimits;
    if (this.#known.size >= adminRememberedSessionsMax || this.#narrowed >= childPoliciesKeptMax) {
      this.#known.clear();
      this.#narrowed = 0;
    }
    for (const id of new Set(ids)) {
      if (id === undefined || this.#known.has(id)) continue;
      const session = await recallSession(this.#store, id, this.#narrowings);
      this.#known.set(id, session);
      if (session?.narrowed === undefined) continue;
      // To read a policy takes long, and others are served meanwhile.
      this.#narrowed += 1;
      await nextTurn();
    }
  }

  get(id: string): RecalledFacts | undefined {
    return this.#known.get(id);
  }
}

/** What an event `enrolled` says, whose details hold claims and posture; undefined of any other. */
export function enrolmentFacts({
  action,
  details,
}: AuditEvent): Pick<Principal, 'claims' | 'posture'> | undefined {
  if (action !== 'enrolled') return undefined;
  const { claims, posture = {} } = details ?? {};
  // Objects, looked at below; the gateway wrote both from what it had checked.
  if (!isObject(claims) || !isObject(posture)) return undefined;
  return { claims, posture: postureFacts(posture as unknown as Posture) };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
