// Tokens that tools of sessions logged in to: a row of the store for each, sealed, by what stands in its place. Whoever has the placeholder and is not of
// that session has nothing.

import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { asProxyError, ProxyError } from '../../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../../protocol/limits.ts';
import { Secret } from '../../../protocol/secret.ts';
import type { KeptTokenStore } from '../../../store/kept-token-store.ts';
import { SearchedCredential, TableBudget } from '../../scrub/searched-credential.ts';
import { placeholderForToken, type RandomOctets } from './token-placeholder.ts';
import { EndedSessions } from './ended-sessions.ts';
import { keptInside, type TokenSeal } from './kept-inside.ts';
import type { TokenKind } from './token-members.ts';
import type { RevokedToken, TokenRevocation } from './token-revocation.ts';

/** Of whom a token is: by a session under the name of a log-in, from one server. */
export interface InsideOwner {
  readonly sessionId: string;
  readonly logIn: string;
}

export interface GivenToken {
  readonly kind: TokenKind;
  readonly value: string;
  /** `https://host:port` of the server that gave it. */
  readonly origin: string;
  readonly lifetimeMs?: number | undefined;
  /** Where it is taken back when its session ends. */
  readonly revocation?: TokenRevocation | undefined;
}

export interface FoundInside {
  readonly id: string;
  readonly placeholder: string;
  readonly kind: TokenKind;
  readonly origin: string;
  readonly token: Secret<string>;
  readonly version: number;
  /** What responses to requests with it are searched for. */
  readonly searched: SearchedCredential;
}

export interface InsideTokensOptions {
  readonly store: KeptTokenStore;
  readonly seal: TokenSeal;
  /** This process. */
  readonly holderId: string;
  readonly limits: Limits;
  readonly random: RandomOctets;
  /** As `revokeToken`. Absent: no server is asked to take a token back. */
  readonly revoke?: (revoked: RevokedToken) => Promise<boolean>;
  readonly onFault?: (error: ProxyError) => void;
}

/** A refresh token that this exchange alone asks with. */
export interface RefreshClaim {
  readonly found: FoundInside;
  /** Before the new ones are used; `next` is undefined where the server gave no other one. @throws ProxyError credential_unavailable */
  commit(next: string | undefined, revocation: TokenRevocation | undefined): Promise<void>;
  /** The server does not take it. */
  refuse(word: string): Promise<void>;
  /** Nothing came of it. `isSent`: the server may have seen it. Harmless behind the others. */
  letGo(isSent: boolean): Promise<void>;
}

export class InsideTokens {
  readonly #options: InsideTokensOptions;
  readonly #tables: TableBudget;
  /** Of this process, by id; the one that was used last is the last. Rows of refresh tokens are read each time. */
  readonly #known = new Map<string, FoundInside>();
  readonly #ended: EndedSessions;

  constructor(options: InsideTokensOptions) {
    this.#options = options;
    this.#tables = new TableBudget(options.limits);
    const { onFault = () => undefined, ...ended } = options;
    this.#ended = new EndedSessions({ ...ended, onFault });
  }

  /** Undefined: nothing stands behind it for this session and log-in. @throws ProxyError credential_unavailable */
  async find(owner: InsideOwner, placeholder: string): Promise<FoundInside | undefined> {
    if (
      placeholder.length < placeholderCharactersMin ||
      placeholder.length > defaultLimits.insidePlaceholderCharactersMax
    )
      return undefined;
    const id = rowId(owner, placeholder);
    const known = this.#known.get(id);
    if (known !== undefined) {
      this.#remember(known);
      return known;
    }
    const row = await this.#options.store.read(id).catch((error: unknown) => {
      throw withoutStore(error);
    });
    if (row?.state !== 'held') return undefined;
    const opened = keptInside(await this.#options.seal.open(id, row.sealed));
    if (opened?.logIn !== owner.logIn) return undefined;
    const { kind, origin, token } = opened;
    const searched = new SearchedCredential(owner.logIn, this.#tables);
    const found = { id, placeholder, kind, origin, token: new Secret(token), version: row.version, searched };
    if (kind !== 'refresh') this.#remember(found);
    return found;
  }

  /** From now on responses are searched for it: what was used longest ago makes room. @throws ProxyError credential_unavailable */
  search({ searched, token }: FoundInside): void {
    for (;;) {
      try {
        searched.note([token]);
        return;
      } catch (error) {
        const isFull = error instanceof ProxyError && error.limit === 'scrubTablesBytesMax';
        const oldest = [...this.#known.values()].find((one) => one.searched !== searched);
        if (!isFull || oldest === undefined) throw error;
        this.#forgetKnown(oldest.id);
      }
    }
  }

  /** What the tool gets in its place. @throws ProxyError credential_unavailable, limit_exceeded */
  async keep(
    owner: InsideOwner,
    { kind, value, origin, lifetimeMs = defaultLimits.insideLifetimeMs, revocation }: GivenToken,
  ): Promise<string> {
    const { seal, store, limits, random } = this.#options;
    const placeholder = placeholderForToken(value, random);
    const id = rowId(owner, placeholder);
    const { logIn, sessionId } = owner;
    const max = limits.insideTokensPerSessionMax;
    let isKept: boolean;
    try {
      const sealed = await seal.seal(id, { logIn, kind, origin, token: value, revocation });
      // What has no end there makes room for nothing.
      const ending = lastingKinds.has(kind) ? {} : { lifetimeMs };
      isKept = await store.putOfSession(id, { sealed, ...ending, sessionId, max });
    } catch (error) {
      throw withoutStore(error);
    }
    if (isKept) return placeholder;
    throw new ProxyError(
      'limit_exceeded',
      `the session has ${String(max)} tokens of log-ins (insideTokensPerSessionMax)`,
      { limit: 'insideTokensPerSessionMax' },
    );
  }

  /** It was used up, or has ended: nobody needs it any more. */
  async drop(owner: InsideOwner, placeholder: string): Promise<void> {
    const id = rowId(owner, placeholder);
    this.#forgetKnown(id);
    // What stays goes with the session.
    await this.#options.store.forget(id).catch(() => false);
  }

  /**
   * Before a server is asked with it, so that of all gateways and tools one asks at a time, with the newest one. Undefined: it is of no use any
   * more. @throws ProxyError credential_unavailable, cancelled
   */
  async claim(
    owner: InsideOwner,
    placeholder: string,
    signal: AbortSignal,
  ): Promise<RefreshClaim | undefined> {
    const { store, holderId } = this.#options;
    const { keptTokenClaimMs: claimMs, keptTokenRetryMs, keptTokenWaitMs } = defaultLimits;
    const looksMax = Math.ceil(keptTokenWaitMs / keptTokenRetryMs);
    for (let look = 0; look < looksMax; look++) {
      const found = await this.find(owner, placeholder);
      if (found === undefined) return undefined;
      const { id, version } = found;
      const outcome = await store.claim(id, { version, holderId, claimMs }).catch((error: unknown) => {
        throw withoutStore(error);
      });
      if (outcome.kind === 'claimed') {
        if (outcome.attempts < defaultLimits.insideAttemptsMax) return this.#claimOf(owner, found);
        await store.refuse(id, { version, word: 'no_response' });
        return undefined;
      }
      if (outcome.kind === 'taken') await waited(keptTokenRetryMs, signal);
    }
    throw new ProxyError(
      'credential_unavailable',
      `another request refreshes the tokens of log-in ${owner.logIn} and does not end; try again`,
      { retryAfterSeconds: 1 },
    );
  }

  /** The session is over. Its tokens are revoked where the rule says so. */
  async forget(sessionId: string): Promise<void> {
    for (const id of this.#known.keys()) if (id.startsWith(sessionPrefix(sessionId))) this.#forgetKnown(id);
    await this.#ended.end(sessionId);
  }

  /** Tokens of sessions that are over, though nobody said so to a gateway. */
  lookForEnded(signal?: AbortSignal): Promise<void> {
    return this.#ended.look(signal);
  }

  #claimOf(owner: InsideOwner, found: FoundInside): RefreshClaim {
    const { store, seal, holderId } = this.#options;
    const { id, version, origin, token } = found;
    let isOver = false;
    const once = async (end: () => Promise<unknown>): Promise<void> => {
      if (isOver) return;
      isOver = true;
      await end();
    };
    return {
      found,
      commit: (next = token.reveal(), revocation) =>
        once(async () => {
          const { logIn } = owner;
          const sealed = await seal.seal(id, { logIn, kind: 'refresh', origin, token: next, revocation });
          const written = await committed(() => store.commit(id, { version, sealed }));
          if (!written)
            throw new ProxyError(
              'credential_unavailable',
              `the tokens of log-in ${logIn} were changed by another gateway meanwhile; try again`,
            );
        }),
      refuse: (word) => once(() => store.refuse(id, { version, word })),
      letGo: (isSent) => once(() => store.letGo(id, { version, holderId, isSent })),
    };
  }

  #remember(found: FoundInside): void {
    this.#known.delete(found.id);
    this.#known.set(found.id, found);
    const [oldest] = this.#known.size > defaultLimits.insideTokensKnownMax ? this.#known.keys() : [];
    if (oldest !== undefined) this.#forgetKnown(oldest);
  }

  #forgetKnown(id: string): void {
    this.#known.get(id)?.searched.close();
    this.#known.delete(id);
  }
}

/** Without them a tool has to log in anew. */
const lastingKinds: ReadonlySet<TokenKind> = new Set(['refresh', 'client', 'registration']);

/** Of what is shorter none was made. */
const placeholderCharactersMin = 16;

/** The new one is nowhere else: a store that is away for a moment must not lose it. @throws ProxyError credential_unavailable */
async function committed(write: () => Promise<boolean>): Promise<boolean> {
  const { keptTokenRetryMs, insideCommitsMax } = defaultLimits;
  for (let attempt = 1; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      if (attempt >= insideCommitsMax) throw withoutStore(error);
      await pause(keptTokenRetryMs);
    }
  }
}

function sessionPrefix(sessionId: string): string {
  return `inside/${sessionId}/`;
}

/** The row is found by it, and what the tool has is not in the store. */
function rowId({ sessionId, logIn }: InsideOwner, placeholder: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([sessionId, logIn, placeholder]))
    .digest('base64url');
  return `${sessionPrefix(sessionId)}${hash}`;
}

async function waited(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch((error: unknown) => {
    throw new ProxyError('cancelled', 'the request ended while it waited for another one', { cause: error });
  });
}

function withoutStore(error: unknown): ProxyError {
  if (error instanceof ProxyError && error.code === 'credential_unavailable') return error;
  const cause = asProxyError(error);
  return new ProxyError(
    'credential_unavailable',
    'the store cannot be asked for the tokens of log-ins, so none is used and none is handed out',
    {
      cause,
      operatorDetail: cause.message,
      ...(cause.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: cause.retryAfterSeconds }),
    },
  );
}
