// Sessions that others made: how they begin, what they are judged by, and what the audit says of them.

import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Principal } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { TokenBucket } from '../../protocol/token-bucket.ts';
import type { NarrowOutcome, SessionRecord, SessionStore } from '../../store/store.ts';
import type { SessionStep } from '../audit/session-audit.ts';
import { publicKeySchema, thumbprintOf } from './dpop-proof.ts';
import { Narrowings, readNarrowing } from './narrowings.ts';
import { assertAlive, type LivingSession, principalOf } from './session-authenticator.ts';
import { agentSchema, malformedBody } from './session-request.ts';

const narrowSchema = z.object({
  key: publicKeySchema,
  policy: z.string(),
  lifetime_ms: z.int().min(1).exactOptional(),
  confined: z.boolean(),
  agent: agentSchema,
});

export interface NarrowInput {
  readonly parent: LivingSession;
  /** The parsed JSON body, of any form. */
  readonly body: unknown;
  readonly nowMs: number;
}

export interface NarrowedChild {
  readonly session: SessionRecord;
  readonly principal: Principal;
  readonly step: Pick<SessionStep, 'sessionId' | 'principal' | 'details' | 'message'>;
}

export class ChildSessions {
  readonly #store: SessionStore;
  readonly #limits: Limits;
  readonly #narrowings: Narrowings;
  /** By the session at the head of a chain. */
  readonly #rates = new Map<string, TokenBucket>();

  constructor(store: SessionStore, limits: Limits) {
    this.#store = store;
    this.#narrowings = new Narrowings(store);
    this.#limits = limits;
  }

  /** @throws ProxyError request_malformed, limit_exceeded, session_unknown */
  async narrow({ parent, body, nowMs }: NarrowInput): Promise<NarrowedChild> {
    const parsed = narrowSchema.safeParse(body);
    if (!parsed.success) throw malformedBody('The body', parsed.error);
    const { key, policy: text, lifetime_ms: lifetimeMs, confined, agent } = parsed.data;
    const id = randomUUID();
    this.#admit(parent.above?.[0] ?? parent.id, nowMs);
    const step = readNarrowing(id, text, 'request_malformed');
    if (step instanceof ProxyError) throw step;
    const { sessionLifetimeMs, childSessionsMax, childSessionsStoredMax, childDepthMax } = this.#limits;
    const outcome = await this.#store.narrow(
      {
        id,
        parentId: parent.id,
        policy: text,
        keyThumbprint: await thumbprintOf(key),
        agentVersion: agent.version,
        isConfined: confined,
        nowMs,
        endsMs: nowMs + Math.min(lifetimeMs ?? sessionLifetimeMs, sessionLifetimeMs),
      },
      { livingMax: childSessionsMax, storedMax: childSessionsStoredMax, depthMax: childDepthMax },
    );
    if (outcome.kind !== 'narrowed') throw this.#refusal(outcome);
    const { session } = outcome;
    this.#narrowings.keep(step);
    const { above = [] } = session;
    return {
      session,
      principal: await this.principalOf(session, nowMs),
      step: {
        sessionId: id,
        principal: session.principalId,
        message: `Session ${parent.id} made it, with less than it has itself.`,
        details: {
          parent: parent.id,
          above,
          confined,
          policy: createHash('sha256').update(text).digest('hex').slice(0, 16),
          ends: new Date(session.endsMs).toISOString(),
          agentVersion: agent.version,
          ...(agent.session === undefined ? {} : { agentSession: agent.session }),
        },
      },
    };
  }

  /**
   * Who a session is to the policy: of one that another made, with what it was narrowed by. Those above it live, whatever the store
   * says of it. @throws ProxyError session_unknown, session_revoked
   */
  async principalOf(session: Omit<LivingSession, 'keyThumbprint'>, nowMs: number): Promise<Principal> {
    const principal = principalOf(session);
    const { above = [], id } = session;
    const [rootId, ...others] = above;
    if (rootId === undefined) return principal;
    for (const one of above) assertAlive(await this.#store.find(one), nowMs);
    // Without one of them nobody knows what is left: the session gets nothing.
    const steps = await this.#narrowings.of([...others, id]);
    if (steps instanceof ProxyError) throw steps;
    return { ...principal, narrowed: { rootId, steps } };
  }

  forget(sessionId: string): void {
    this.#narrowings.forget(sessionId);
    this.#rates.delete(sessionId);
  }

  /** Before the policy is read, which takes longer than all else. @throws ProxyError limit_exceeded */
  #admit(rootId: string, nowMs: number): void {
    const { narrowingsPerSecondMax: perSecond, childSessionsMax } = this.#limits;
    const rate = this.#rates.get(rootId) ?? new TokenBucket(perSecond, nowMs, childSessionsMax);
    this.#rates.set(rootId, rate);
    const waitSeconds = rate.take(perSecond, nowMs);
    if (waitSeconds > 0)
      throw new ProxyError(
        'limit_exceeded',
        `The session asks for others too often (narrowingsPerSecondMax); try again in ${waitSeconds} s.`,
        { limit: 'narrowingsPerSecondMax', retryAfterSeconds: waitSeconds },
      );
  }

  #refusal(outcome: Exclude<NarrowOutcome, { readonly kind: 'narrowed' }>): ProxyError {
    if (outcome.kind === 'over')
      return new ProxyError('session_unknown', 'The session is over or not committed, and makes no other.');
    const limits = {
      living: 'childSessionsMax',
      stored: 'childSessionsStoredMax',
      depth: 'childDepthMax',
    } as const;
    const limit = limits[outcome.bound];
    const what = {
      living: 'sessions at a time below one that began by a token',
      stored: 'sessions in all below one that began by a token',
      depth: 'sessions below each other',
    }[outcome.bound];
    return new ProxyError('limit_exceeded', `There may be ${this.#limits[limit]} ${what} (${limit}).`, {
      limit,
    });
  }
}

/** Sessions below one that was ended, which ended with it. */
export async function recordEndedWith(
  store: Pick<SessionStore, 'below'>,
  session: Pick<SessionRecord, 'id' | 'above'>,
  record: (step: Pick<SessionStep, 'action' | 'sessionId' | 'principal' | 'message'>) => Promise<void>,
): Promise<void> {
  for (const { id, state, reason, principalId } of await store.below(session)) {
    if (state !== 'ended' && state !== 'revoked') continue;
    const message = `The session was ${state}: ${reason ?? state} (${session.id}).`;
    await record({ action: state, sessionId: id, principal: principalId, message });
  }
}
