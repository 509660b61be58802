// Sessions that began here lately. A standby that takes over may not have them, nor know that their tokens are used.

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import {
  type NewSession,
  type SessionEnding,
  type SessionRecord,
  type SessionStore,
  type TokenStore,
  withdrawnToken,
} from '../../store/store.ts';
import type { StoreHistory } from './store-history.ts';

/** A token that was taken back. */
interface WithdrawnToken extends Pick<NewSession, 'tokenKey' | 'tokenExpiresMs'> {
  readonly reason: string;
}

export class RecentSessions {
  /** By their ids; those that changed last at the end. */
  readonly #sessions = new Map<string, { readonly session: SessionRecord; readonly atMs: number }>();
  readonly #withdrawn = new Map<string, WithdrawnToken>();

  /** Those that are not too old: one that lived longer ago may have ended since, and that is forgotten too. */
  all(nowMs: number): readonly SessionRecord[] {
    const { historyKeptMs } = defaultLimits;
    return [...this.#sessions.values()]
      .filter(({ atMs }) => nowMs - atMs <= historyKeptMs)
      .map(({ session }) => session);
  }

  /** It stays, as over: that its token is used is to be told too. */
  end(id: string, { state, reason }: SessionEnding, nowMs: number): void {
    const session = this.find(id);
    if (session !== undefined && session.overMs === undefined)
      this.note({ ...session, state, reason, overMs: nowMs }, nowMs);
  }

  note(session: SessionRecord, nowMs: number): void {
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, { session, atMs: nowMs });
    for (const [id, { atMs }] of this.#sessions) {
      const { recentSessionsMax, historyKeptMs } = defaultLimits;
      if (this.#sessions.size <= recentSessionsMax && nowMs - atMs <= historyKeptMs) return;
      this.#sessions.delete(id);
    }
  }

  find(id: string): SessionRecord | undefined {
    return this.#sessions.get(id)?.session;
  }

  noteWithdrawn(token: WithdrawnToken): void {
    this.#withdrawn.delete(token.tokenKey);
    this.#withdrawn.set(token.tokenKey, token);
    const [oldest] = this.#withdrawn.keys();
    if (this.#withdrawn.size > defaultLimits.recentSessionsMax && oldest !== undefined)
      this.#withdrawn.delete(oldest);
  }

  /** Those that would start a session if nobody knew that they were taken back. */
  withdrawn(nowMs: number): readonly WithdrawnToken[] {
    return [...this.#withdrawn.values()].filter(({ tokenExpiresMs }) => tokenExpiresMs > nowMs);
  }
}

/** The sessions of the store: what this process writes is kept for a while, and none is called unknown by a store that went back. */
export function rememberedSessions(
  store: { readonly sessions: SessionStore; readonly tokens: TokenStore },
  recent: RecentSessions,
  history: StoreHistory,
): SessionStore {
  return {
    enrol: async (session, bounds) => {
      const outcome = await store.sessions.enrol(session, bounds);
      if (outcome.kind !== 'enrolled') return outcome;
      recent.note({ ...session, state: 'enrolled' }, session.enrolledMs);
      // Its token may have been used before, as a store knew that has gone back since.
      await history.look();
      const consumer = await laterConsumer(store.tokens, history, session.tokenKey);
      if (consumer === undefined) return outcome;
      if (consumer === withdrawnToken) return { kind: 'token_withdrawn' };
      // The token had been withdrawn, and this very session was revoked with it.
      if (consumer === session.id) return { kind: 'token_revoked', sessionId: consumer };
      return { kind: 'token_consumed', sessionId: consumer };
    },
    commit: async (id, nowMs) => {
      const outcome = await store.sessions.commit(id, nowMs);
      const session =
        recent.find(id) ?? (outcome.kind === 'committed' ? await store.sessions.find(id) : undefined);
      if (outcome.kind === 'committed' && session !== undefined)
        recent.note({ ...session, state: 'committed', committedMs: nowMs }, nowMs);
      return outcome;
    },
    find: async (id) => {
      const found = await store.sessions.find(id);
      if (found !== undefined) return found;
      await history.look();
      const again = await store.sessions.find(id);
      if (again === undefined && !history.isSettled) throw unsettled();
      return again;
    },
    end: async (id, ending, nowMs) => {
      const isEnded = await store.sessions.end(id, ending, nowMs);
      // At once: whoever is told so may count on it, also where the store loses it before it is read here.
      if (isEnded) recent.end(id, ending, nowMs);
      return isEnded;
    },
    withdraw: async (token, reason, nowMs) => {
      const outcome = await store.sessions.withdraw(token, reason, nowMs);
      if (outcome.kind !== 'withdrawn') return outcome;
      recent.noteWithdrawn({ ...token, reason });
      if (outcome.sessionId !== undefined) recent.end(outcome.sessionId, { state: 'revoked', reason }, nowMs);
      return outcome;
    },
    restoreEnding: (id, ending, nowMs) => store.sessions.restoreEnding(id, ending, nowMs),
    // One of which a store that went back knows nothing is over: a session that it is below makes another one.
    narrow: (child, bounds) => store.sessions.narrow(child, bounds),
    narrowingsOf: (ids) => store.sessions.narrowingsOf(ids),
    below: (session) => store.sessions.below(session),
    restore: (session, nowMs) => store.sessions.restore(session, nowMs),
    expire: (nowMs, limit) => store.sessions.expire(nowMs, limit),
    list: (query) => store.sessions.list(query),
    endingsSince: (sequence) => store.sessions.endingsSince(sequence),
    endedBehind: (place, limit) => store.sessions.endedBehind(place, limit),
    endedSince: (overMs, limit) => store.sessions.endedSince(overMs, limit),
    prune: (beforeMs) => store.sessions.prune(beforeMs),
  };
}

/** Who used the token, where that came to light since. */
async function laterConsumer(
  tokens: TokenStore,
  history: StoreHistory,
  tokenKey: string,
): Promise<string | undefined> {
  return history.isSettled ? undefined : await tokens.consumedBy(tokenKey);
}

function unsettled(): ProxyError {
  return new ProxyError(
    'store_unavailable',
    'The store of the gateway has lost what came last, and gateways tell it again what they know; try again later.',
    { retryAfterSeconds: defaultLimits.storeRetryAfterSeconds },
  );
}
