// Access tokens of OAuth 2.0 (RFC 6749 §4.4 and §6), fetched ahead of their end, one request in flight.

import { Buffer } from 'node:buffer';
import { z } from 'zod';
import { ProxyError } from '../../../protocol/error.ts';
import { Secret } from '../../../protocol/secret.ts';
import type { BackgroundRenewals } from './background-renewals.ts';
import type { CredentialSource } from './credential-source.ts';
import { hostOf, jsonOf } from './issuer-text.ts';
import { RenewedValue, timedValue } from './renewed-value.ts';
import type { TimedValue } from './renewed-value.ts';
import type { ServiceFetch } from '../../forward/service-fetch.ts';

/** RFC 6749 §5.1 lets an issuer say nothing about the lifetime. */
const unstatedLifetimeMs = 300_000;

const tokenResponseSchema = z.object({
  access_token: z.string().regex(/^[\x21-\x7e]{1,16384}$/),
  token_type: z.string().regex(/^bearer$/i),
  expires_in: z.coerce.number().positive().optional(),
  refresh_token: z
    .string()
    .regex(/^[\x21-\x7e]{1,16384}$/)
    .optional(),
});
/** RFC 6749 §5.2: a word, which is all of the issuer's response that is ever told on. */
const errorResponseSchema = z.object({ error: z.string().regex(/^[a-z_]{1,64}$/) });

export interface OAuthTokensOptions {
  readonly name: string;
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly scope?: string;
  readonly clientSecret: CredentialSource;
  /** With it the grant is refresh_token, without it client_credentials. */
  readonly refreshToken?: CredentialSource;
  readonly fetch: ServiceFetch;
  readonly background: BackgroundRenewals;
}

/** A refresh token that the issuer gave in exchange for `instead`. */
interface RotatedToken {
  readonly instead: string;
  readonly value: Secret<string>;
}

/** `read` gives a token that is valid now. */
export class OAuthTokens implements CredentialSource {
  readonly #options: OAuthTokensOptions;
  readonly #tokens: RenewedValue<Secret<string>>;
  #rotated: RotatedToken | undefined;

  constructor(options: OAuthTokensOptions) {
    this.#options = options;
    this.#tokens = new RenewedValue((nowMs) => this.#request(nowMs), options.background);
  }

  read(nowMs: number): Promise<Secret<string>> {
    return this.#tokens.read(nowMs);
  }

  reject(secret: Secret<string>, nowMs: number): void {
    this.#tokens.reject(secret, nowMs);
  }

  async #request(nowMs: number): Promise<TimedValue<Secret<string>>> {
    const { clientId, clientSecret, tokenUrl, scope, fetch: post } = this.#options;
    const refresh = await this.#refreshToken(nowMs);
    const form = new URLSearchParams({
      grant_type: refresh === undefined ? 'client_credentials' : 'refresh_token',
      ...(refresh === undefined ? {} : { refresh_token: refresh.value }),
      ...(scope === undefined ? {} : { scope }),
    });
    const secret = (await clientSecret.read(nowMs)).reveal();
    // RFC 6749 §2.3.1: both halves are form-encoded first.
    const pair = Buffer.from(`${formEncoded(clientId)}:${formEncoded(secret)}`).toString('base64');
    const { status, text } = await post(tokenUrl, {
      method: 'POST',
      headers: {
        authorization: `Basic ${pair}`,
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: form.toString(),
    }).catch((error: unknown) => {
      throw this.#unavailable(`the issuer ${hostOf(tokenUrl)} cannot be reached`, error);
    });
    return this.#tokenOf(status, text, { nowMs, refresh });
  }

  #tokenOf(
    status: number,
    text: string,
    { nowMs, refresh }: { readonly nowMs: number; readonly refresh: RefreshInUse | undefined },
  ): TimedValue<Secret<string>> {
    const host = hostOf(this.#options.tokenUrl);
    const json = jsonOf(text);
    if (status !== 200) {
      const said = errorResponseSchema.safeParse(json);
      const word = said.success ? `, ${said.data.error}` : '';
      throw this.#unavailable(`the issuer ${host} refused a token (status ${String(status)}${word})`);
    }
    const parsed = tokenResponseSchema.safeParse(json);
    if (!parsed.success) throw this.#unavailable(`the issuer ${host} responded with no bearer token`);
    const { access_token: token, expires_in: seconds, refresh_token: next } = parsed.data;
    if (next !== undefined && refresh !== undefined)
      this.#rotated = { instead: refresh.given, value: new Secret(next) };
    const lifetimeMs = seconds === undefined ? unstatedLifetimeMs : seconds * 1000;
    return timedValue(new Secret(token), nowMs, lifetimeMs);
  }

  /** The issuer's latest, unless the operator put a new one in its place. */
  async #refreshToken(nowMs: number): Promise<RefreshInUse | undefined> {
    const { refreshToken } = this.#options;
    if (refreshToken === undefined) return undefined;
    const given = (await refreshToken.read(nowMs)).reveal();
    const value = this.#rotated?.instead === given ? this.#rotated.value.reveal() : given;
    return { given, value };
  }

  #unavailable(what: string, cause?: unknown): ProxyError {
    return new ProxyError('credential_unavailable', `credential ${this.#options.name}: ${what}`, { cause });
  }
}

interface RefreshInUse {
  /** What the source has. */
  readonly given: string;
  /** What is sent. */
  readonly value: string;
}

function formEncoded(text: string): string {
  return new URLSearchParams({ x: text }).toString().slice('x='.length);
}
