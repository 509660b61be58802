// A token endpoint as a gateway asks it (RFC 6749 §3.2): what was sent, who asks, and what came back, whose texts nobody else gets to see.

import { z } from 'zod';
import { ProxyError } from '../../../protocol/error.ts';
import type { Secret } from '../../../protocol/secret.ts';
import { fetchReason, type ServiceOctetFetch, type ServiceOctets } from '../../forward/service-fetch.ts';
import { hostOf, jsonOf } from '../sources/issuer-text.ts';
import { type ClientAuthWay, tokenText } from './kept-value.ts';
import type { ProofKey } from './proof-key.ts';

const responseSchema = z.object({
  access_token: tokenText,
  token_type: z.string().max(64),
  expires_in: z.coerce.number().positive().max(1e9).optional(),
  refresh_token: tokenText.optional(),
  scope: z.string().max(8192).optional(),
  issued_token_type: z.string().max(256).optional(),
});
/** RFC 6749 §5.2: a word, which is all of the server's response that is ever told on. */
const errorSchema = z.object({ error: z.string().regex(/^[a-z_]{1,64}$/) });
const noncePattern = /^[\x21\x23-\x5b\x5d-\x7e]{1,512}$/;

/** After these the same question gets the same response: a person has to do something. */
const finalWords: ReadonlySet<string> = new Set(['invalid_grant', 'bad_refresh_token']);

export interface GivenTokens {
  readonly accessToken: string;
  readonly tokenType: 'Bearer' | 'DPoP';
  /** The server gave another one, or none. */
  readonly refreshToken: string | undefined;
  readonly scope: string | undefined;
  readonly issuedTokenType: string | undefined;
  readonly lifetimeMs: number | undefined;
}

export type TokenResponse =
  | { readonly kind: 'given'; readonly tokens: GivenTokens }
  | { readonly kind: 'refused'; readonly word: string }
  | {
      readonly kind: 'failed';
      /** The server may have seen the question. */
      readonly isSent: boolean;
      readonly error: ProxyError;
      /** What it said (RFC 6749 §5.2). */
      readonly word?: string;
    };

export type Failed = Extract<TokenResponse, { readonly kind: 'failed' }>;

export interface TokenClient {
  readonly clientId: string;
  readonly auth: ClientAuthWay;
  readonly secret: Secret<string> | undefined;
  readonly proofKey?: ProofKey | undefined;
  /** PEM certificates beside the usual ones. */
  readonly ca: readonly string[];
}

export interface TokenQuestion {
  readonly url: string;
  readonly form: Readonly<Record<string, string>>;
  readonly nowMs: number;
}

export class TokenEndpoint {
  readonly #fetch: ServiceOctetFetch;
  /** The last nonce of each server (RFC 9449 §8); there are as many as credentials. */
  readonly #nonces = new Map<string, string>();

  constructor(fetch: ServiceOctetFetch) {
    this.#fetch = fetch;
  }

  /** Never throws. */
  async ask(client: TokenClient, question: TokenQuestion): Promise<TokenResponse> {
    const response = await this.posted(client, question);
    if ('kind' in response) return response;
    const host = hostOf(question.url);
    const { status } = response;
    const json = jsonOf(response.text);
    const said = errorSchema.safeParse(json);
    // Some servers say an error with status 200.
    if (said.success) {
      const { error: word } = said.data;
      if (finalWords.has(word)) return { kind: 'refused', word };
      return { ...failed(true, `the server ${host} gives no token (status ${status}, ${word})`), word };
    }
    if (status !== 200) return failed(true, `the server ${host} gives no token (status ${status})`);
    const given = responseSchema.safeParse(json);
    if (!given.success) return failed(true, `the server ${host} responded with no token`);
    const tokens = given.data;
    const isBound = /^dpop$/i.test(tokens.token_type);
    if (!isBound && !/^(bearer|n_a)$/i.test(tokens.token_type))
      return failed(true, `the server ${host} responded with a token of a type that is not known`);
    if (isBound && client.proofKey === undefined)
      return failed(
        true,
        `the server ${host} responded with a token that is bound to a key; write dpop: true`,
      );
    return {
      kind: 'given',
      tokens: {
        accessToken: tokens.access_token,
        tokenType: isBound ? 'DPoP' : 'Bearer',
        refreshToken: tokens.refresh_token,
        scope: tokens.scope,
        issuedTokenType: tokens.issued_token_type,
        lifetimeMs: tokens.expires_in === undefined ? undefined : tokens.expires_in * 1000,
      },
    };
  }

  /** RFC 7009: status 200 also for a token that is not known. @throws ProxyError credential_unavailable */
  async revoke(client: TokenClient, question: TokenQuestion): Promise<void> {
    const response = await this.posted(client, question);
    if ('kind' in response) throw response.error;
    if (response.status >= 300)
      throw new ProxyError(
        'credential_unavailable',
        `the server ${hostOf(question.url)} did not revoke the token (status ${response.status})`,
      );
  }

  /** Never throws. With the nonce that the server asks for: that is one more question, once, and is none about the grant. */
  async posted(client: TokenClient, question: TokenQuestion): Promise<ServiceOctets | Failed> {
    const { origin } = new URL(question.url);
    for (let tries = 0; ; tries += 1) {
      let response: ServiceOctets;
      try {
        response = await this.#post(client, question, this.#nonces.get(origin));
      } catch (error) {
        return failed(
          wasSent(error),
          `the server ${hostOf(question.url)} cannot be reached: ${fetchReason(error)}`,
          error,
        );
      }
      const { dpopNonce } = response;
      if (dpopNonce === undefined || !noncePattern.test(dpopNonce)) return response;
      this.#nonces.set(origin, dpopNonce);
      const said = errorSchema.safeParse(jsonOf(response.text));
      const isAsked = said.success && said.data.error === 'use_dpop_nonce';
      if (!isAsked || client.proofKey === undefined || tries > 0) return response;
    }
  }

  async #post(
    { clientId, auth, secret, proofKey, ca }: TokenClient,
    { url, form, nowMs }: TokenQuestion,
    nonce: string | undefined,
  ): Promise<ServiceOctets> {
    const body = new URLSearchParams(form);
    const headers: Record<string, string> = {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
    };
    if (auth === 'basic' && secret !== undefined) {
      // RFC 6749 §2.3.1: both halves are form-encoded first.
      const pair = `${formEncoded(clientId)}:${formEncoded(secret.reveal())}`;
      headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
    } else {
      body.set('client_id', clientId);
      if (secret !== undefined) body.set('client_secret', secret.reveal());
    }
    if (proofKey !== undefined) headers['dpop'] = proofKey.proof({ method: 'POST', url, nowMs, nonce });
    return await this.#fetch(url, {
      method: 'POST',
      headers,
      body: body.toString(),
      ...(ca.length === 0 ? {} : { ca }),
    });
  }
}

const unsentCodes: ReadonlySet<string> = new Set([
  'name_not_found',
  'origin_unreachable',
  'origin_untrusted',
]);

/** Whether the server may have seen the question: only where no connection came about it surely has not. */
function wasSent(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    if (at instanceof ProxyError && unsentCodes.has(at.code)) return false;
    if (
      'code' in at &&
      ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH'].includes(String(at.code))
    )
      return false;
  }
  return true;
}

function failed(isSent: boolean, message: string, cause?: unknown): Failed {
  return { kind: 'failed', isSent, error: new ProxyError('credential_unavailable', message, { cause }) };
}

function formEncoded(text: string): string {
  return new URLSearchParams({ x: text }).toString().slice('x='.length);
}
