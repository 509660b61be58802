// What is left of sessions that are over: their tokens of log-ins are revoked where the rule says so, and forgotten. Of all gateways one does it.

import { ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import { Secret } from '../../../protocol/secret.ts';
import type { KeptToken, KeptTokenStore } from '../../../store/kept-token-store.ts';
import { type KeptInside, keptInside, type TokenSeal } from './kept-inside.ts';
import { isRevocable, type RevokedToken } from './token-revocation.ts';

export interface EndedSessionsOptions {
  readonly store: KeptTokenStore;
  readonly seal: TokenSeal;
  /** This process. */
  readonly holderId: string;
  /** As `revokeToken`. Absent: no server is asked. */
  readonly revoke?: ((revoked: RevokedToken) => Promise<boolean>) | undefined;
  readonly onFault: (error: ProxyError) => void;
}

interface Left {
  readonly row: KeptToken;
  readonly kept: KeptInside;
}

export class EndedSessions {
  readonly #options: EndedSessionsOptions;
  /** One session after the other: a server is asked for one token at a time. */
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(options: EndedSessionsOptions) {
    this.#options = options;
  }

  /** Beyond `insideEndedWaitingMax` they are left to the next look. @throws ProxyError store_unavailable */
  async end(sessionId: string): Promise<void> {
    if (this.#waiting >= defaultLimits.insideEndedWaitingMax) return;
    this.#waiting += 1;
    const ended = this.#last.then(() => this.#end(sessionId));
    this.#last = ended.catch(() => undefined).then(() => void (this.#waiting -= 1));
    await ended;
  }

  /** Sessions that ended while nobody could say so, whose last response came behind their end, or whose server was away. */
  async look(signal?: AbortSignal): Promise<void> {
    for (const sessionId of await this.#options.store.sessionsOver(defaultLimits.insideEndedWaitingMax)) {
      if (signal?.aborted === true) return;
      await this.end(sessionId);
    }
  }

  async #end(sessionId: string): Promise<void> {
    const { store } = this.#options;
    const rows = await store.ofSession(sessionId, defaultLimits.keptTokensListed);
    const left: Left[] = [];
    for (const row of rows) {
      const kept = await this.#revocable(row);
      if (kept !== undefined) left.push({ row, kept });
    }
    // One by one: what was kept since, or is not among these, is not known to be of no use to anybody. The next look finds it.
    const revocable = new Set(left.map(({ row }) => row.id));
    for (const { id } of rows) if (!revocable.has(id)) await store.forget(id);
    const faults: ProxyError[] = [];
    // The rest often ends with a refresh token.
    for (const one of left.toSorted(
      (a, b) => Number(b.kept.kind === 'refresh') - Number(a.kept.kind === 'refresh'),
    ))
      await this.#revoke(one, faults);
    const [first] = faults;
    if (first !== undefined) this.#options.onFault(first);
  }

  /** Undefined: there is nothing to take back. */
  async #revocable({ id, sealed, state, lifetimeMs }: KeptToken): Promise<KeptInside | undefined> {
    const { seal, revoke } = this.#options;
    if (revoke === undefined || state !== 'held') return undefined;
    const kept = keptInside(await seal.open(id, sealed));
    const hasEnded = kept?.kind === 'access' && lifetimeMs !== undefined && lifetimeMs <= 0;
    return kept?.revocation === undefined || !isRevocable(kept.kind) || hasEnded ? undefined : kept;
  }

  async #revoke({ row, kept }: Left, faults: ProxyError[]): Promise<void> {
    const { store, holderId, revoke } = this.#options;
    const { kind, origin, token, revocation } = kept;
    if (revoke === undefined || revocation === undefined) return;
    const { id, version } = row;
    const { keptTokenClaimMs: claimMs, insideRevocationsMax } = defaultLimits;
    const claim = await store.claim(id, { version, holderId, claimMs });
    // Another gateway does it.
    if (claim.kind !== 'claimed') return;
    try {
      if (!(await revoke({ kind, origin, revocation, token: new Secret(token) })))
        faults.push(notRevoked(`${origin} refuses to revoke tokens`, kept));
    } catch (error) {
      if (claim.attempts + 1 < insideRevocationsMax) {
        // It is tried again at the next look.
        await store.letGo(id, { version, holderId, isSent: true });
        return;
      }
      faults.push(notRevoked(`${origin} did not respond as it should when tokens were revoked`, kept, error));
    }
    await store.forget(id);
  }
}

function notRevoked(what: string, { logIn }: KeptInside, cause?: unknown): ProxyError {
  return new ProxyError(
    'credential_unavailable',
    `${what}: those of log-in ${logIn} of a session that is over are good until they end by themselves`,
    cause === undefined ? {} : { cause },
  );
}
