// One request of a tool to a server of OAuth: which of its tokens go with it, and what becomes of those that the server gives.

import { ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import type { FoundInside, InsideOwner, InsideTokens, RefreshClaim } from './inside-tokens.ts';
import type { TokenDocument } from './token-document.ts';
import type { FoundToken, TokenKind } from './token-members.ts';
import { isRevocable, type TokenRevocation } from './token-revocation.ts';

export interface InsideExchangeOptions {
  readonly tokens: InsideTokens;
  readonly owner: InsideOwner;
  /** `https://host:port` */
  readonly origin: string;
  /** What stands on the request. */
  readonly used: readonly FoundInside[];
  readonly claim: RefreshClaim | undefined;
  /** How what it gives is taken back at the end of the session. */
  readonly revocation?: TokenRevocation | undefined;
  readonly onKept: (kinds: readonly TokenKind[]) => void;
}

/** What a response hands out. */
export interface GivenTokens {
  readonly status: number;
  readonly document: TokenDocument | undefined;
  /** In the address of a redirect. */
  readonly beside: readonly FoundToken[];
}

/** By which the response is written. */
export type PlaceholderOf = (token: string) => string;

const codeLifetimeMs = 600_000;

export class InsideExchange implements Disposable {
  readonly #options: InsideExchangeOptions;
  #isSent = false;
  #deadline: NodeJS.Timeout | undefined;

  constructor(options: InsideExchangeOptions) {
    this.#options = options;
  }

  /** Something of it may be with the server. */
  begun(): void {
    this.#isSent = true;
  }

  /** What is known to be a token, so that it is none of the new ones. */
  get known(): ReadonlyMap<string, TokenKind> {
    return new Map(this.#options.used.map(({ token, kind }) => [token.reveal(), kind]));
  }

  /** Another gateway asks with the same token after that: by then this one has an end. */
  startDeadline(end: (error: ProxyError) => void): void {
    const { claim, origin } = this.#options;
    if (claim === undefined) return;
    const { insideRefreshMs } = defaultLimits;
    const late = (): void =>
      end(
        new ProxyError('timeout', `${origin} gave no new tokens within ${String(insideRefreshMs)} ms`, {
          limit: 'insideRefreshMs',
        }),
      );
    this.#deadline = setTimeout(late, insideRefreshMs);
  }

  /** Before anything of the response goes on. @throws ProxyError policy_denied, credential_unavailable, limit_exceeded */
  async settle(given: GivenTokens): Promise<PlaceholderOf> {
    const { document, status, beside } = given;
    const isGiven = status >= 200 && status <= 299;
    const found = new Map([...(document?.tokens ?? []), ...beside].map(({ value, kind }) => [value, kind]));
    const placeholders = new Map<string, string>();
    for (const { token, placeholder } of this.#options.used) placeholders.set(token.reveal(), placeholder);
    await this.#settleClaim(given, found, placeholders);
    refuseBound(document);
    const kept = await this.#keepAll(found, document, placeholders);
    if (isGiven && kept.includes('access')) await this.#dropUsedUp();
    if (kept.length > 0) this.#options.onKept(kept);
    return (token) => {
      const placeholder = placeholders.get(token);
      if (placeholder === undefined)
        throw new ProxyError('internal', 'a token has nothing to stand in its place');
      return placeholder;
    };
  }

  /** It is over, however it ended. */
  [Symbol.dispose](): void {
    clearTimeout(this.#deadline);
    void this.#options.claim?.letGo(this.#isSent).catch(() => undefined);
  }

  /** The tool goes on with the same placeholder: behind it is the newest token. */
  async #settleClaim(
    { status, document }: GivenTokens,
    found: ReadonlyMap<string, TokenKind>,
    placeholders: Map<string, string>,
  ): Promise<void> {
    const { claim } = this.#options;
    if (claim === undefined) return;
    const isGiven = status >= 200 && status <= 299;
    const kinds = [...found.values()];
    if (isGiven && kinds.includes('access')) {
      const next = document?.nextRefresh;
      await claim.commit(next, this.#options.revocation);
      if (next !== undefined) placeholders.set(next, claim.found.placeholder);
    } else if (document?.error === 'invalid_grant') await claim.refuse('invalid_grant');
    else await claim.letGo(isGiven);
  }

  async #keepAll(
    found: ReadonlyMap<string, TokenKind>,
    document: TokenDocument | undefined,
    placeholders: Map<string, string>,
  ): Promise<readonly TokenKind[]> {
    const { tokens, owner, origin, used, revocation: ofClient } = this.#options;
    const known = new Set(used.map(({ token }) => token.reveal()));
    const kept: TokenKind[] = [];
    for (const [value, kind] of found) {
      if (!known.has(value)) kept.push(kind);
      if (placeholders.has(value)) continue;
      const lifetimeMs = lifetimeOf(kind, document);
      const revocation = isRevocable(kind) ? ofClient : undefined;
      placeholders.set(value, await tokens.keep(owner, { kind, value, origin, lifetimeMs, revocation }));
    }
    return kept;
  }

  /** A code is for one use (RFC 6749 §4.1.2). */
  async #dropUsedUp(): Promise<void> {
    const { tokens, owner, used } = this.#options;
    for (const { kind, placeholder } of used)
      if (kind === 'code' || kind === 'device') await tokens.drop(owner, placeholder);
  }
}

function lifetimeOf(kind: TokenKind, document: TokenDocument | undefined): number | undefined {
  if (kind === 'code') return codeLifetimeMs;
  if (kind === 'refresh' || kind === 'client' || kind === 'registration') return undefined;
  const seconds = document?.expiresInSeconds;
  return seconds === undefined ? undefined : Math.min(seconds * 1_000, defaultLimits.insideLifetimeMs);
}

/** A token that is bound to a key of the tool (RFC 9449) is of no use with another one in its place: proofs name it by its hash. */
function refuseBound(document: TokenDocument | undefined): void {
  const type = document?.tokenType;
  if (type === 'dpop' || type === 'pop' || type === 'mac')
    throw new ProxyError(
      'policy_denied',
      `the server gave a token that is bound to a key of the tool (token_type ${type}), which cannot be kept for it; have the tool ask for a bearer token`,
    );
}
