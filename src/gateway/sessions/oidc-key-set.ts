// The public keys of an OIDC issuer: fetched when needed, kept for a while, bounded in how often they are asked for.

import type { CryptoKey, JWK } from 'jose';
import * as errors from 'jose/errors';
import { createLocalJWKSet } from 'jose/jwks/local';
import { z } from 'zod';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { fetchIssuerJson, type IssuerFetch } from './oidc-fetch.ts';

const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.string() });
const keySetSchema = z.object({
  keys: z.array(z.looseObject({ kty: z.string() })).max(defaultLimits.issuerKeysMax),
});

export interface KeySetOptions {
  readonly issuer: string;
  /** Found by the issuer's metadata (OpenID Connect Discovery) if absent. */
  readonly jwksUrl?: string;
  readonly fetch: IssuerFetch;
  readonly limits?: Limits;
}

type KeyResolver = (header: { readonly alg: string; readonly kid?: string }) => Promise<CryptoKey>;
type Fetched = { readonly resolve: KeyResolver; readonly atMs: number };

/** Gives keys by `kid`; the cache lives as long as the object. */
export class OidcKeySet {
  readonly #options: KeySetOptions;
  readonly #limits: Limits;
  #fetched: Fetched | undefined;
  #failure: { readonly error: unknown; readonly atMs: number } | undefined;
  #fetching: Promise<Fetched> | undefined;

  constructor(options: KeySetOptions) {
    this.#options = options;
    this.#limits = options.limits ?? defaultLimits;
  }

  /** Throws ProxyError `token_invalid` if there is no such key, `issuer_unavailable` if the keys cannot be had. */
  async key(
    header: { readonly alg: string; readonly kid: string | undefined },
    nowMs: number,
  ): Promise<CryptoKey> {
    const { alg, kid } = header;
    const wanted = { alg, ...(kid === undefined ? {} : { kid }) };
    const current = await this.#current(nowMs);
    const key = await keyFrom(current, wanted);
    if (key !== undefined) return key;
    if (nowMs - current.atMs >= defaultLimits.issuerRotationCooldownMs) {
      const rotated = await keyFrom(await this.#refresh(nowMs), wanted);
      if (rotated !== undefined) return rotated;
    }
    throw new ProxyError(
      'token_invalid',
      'The session token was signed by a key that its issuer does not publish.',
    );
  }

  async #current(nowMs: number): Promise<Fetched> {
    const fetched = this.#fetched;
    if (fetched !== undefined && nowMs - fetched.atMs < defaultLimits.issuerKeysFreshMs) return fetched;
    try {
      return await this.#refresh(nowMs);
    } catch (error) {
      if (fetched !== undefined && nowMs - fetched.atMs < defaultLimits.issuerKeysStaleMs) return fetched;
      throw error;
    }
  }

  async #refresh(nowMs: number): Promise<Fetched> {
    if (this.#failure !== undefined && nowMs - this.#failure.atMs < defaultLimits.issuerFailureCooldownMs)
      throw this.#failure.error;
    // One fetch, however many tokens wait for it.
    this.#fetching ??= this.#fetch(nowMs).finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetch(nowMs: number): Promise<Fetched> {
    const { fetch } = this.#options;
    try {
      const url = this.#options.jwksUrl ?? (await this.#discover());
      const parsed = keySetSchema.safeParse(await fetchIssuerJson(fetch, url, this.#limits));
      if (!parsed.success)
        throw unavailable(
          `The key set ${url} is not a JWK set of at most ${defaultLimits.issuerKeysMax} keys.`,
          parsed.error,
        );
      // A symmetric key in a public document is no key.
      const keys: JWK[] = parsed.data.keys.filter(({ kty }) => kty !== 'oct');
      this.#fetched = { resolve: createLocalJWKSet({ keys }), atMs: nowMs };
      this.#failure = undefined;
      return this.#fetched;
    } catch (error) {
      this.#failure = { error, atMs: nowMs };
      throw error;
    }
  }

  async #discover(): Promise<string> {
    const { issuer, fetch } = this.#options;
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const parsed = metadataSchema.safeParse(await fetchIssuerJson(fetch, url, this.#limits));
    if (!parsed.success) throw unavailable(`The metadata ${url} has no issuer or no jwks_uri.`, parsed.error);
    // OpenID Connect Discovery §4.3: else one issuer could speak for another.
    if (parsed.data.issuer !== issuer) throw unavailable(`The metadata ${url} is of another issuer.`);
    return parsed.data.jwks_uri;
  }
}

/** Undefined if the set has no key, or more than one, for the header. */
async function keyFrom(
  { resolve }: Fetched,
  header: Parameters<KeyResolver>[0],
): Promise<CryptoKey | undefined> {
  try {
    return await resolve(header);
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
      return undefined;
    throw new ProxyError('token_invalid', 'The key of the session token is not usable.', { cause: error });
  }
}

function unavailable(message: string, cause?: unknown): ProxyError {
  return new ProxyError('issuer_unavailable', message, { cause });
}
