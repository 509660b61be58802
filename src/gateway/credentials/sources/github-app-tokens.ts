// Installation tokens of a GitHub App: a signed statement of the app is exchanged for a token that lives an hour.

import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { SignJWT } from 'jose/jwt/sign';
import { z } from 'zod';
import { ProxyError } from '../../../protocol/error.ts';
import { Secret } from '../../../protocol/secret.ts';
import type { BackgroundRenewals } from './background-renewals.ts';
import type { CredentialSource } from './credential-source.ts';
import { hostOf, jsonOf } from './issuer-text.ts';
import { RenewedValue, timedValue } from './renewed-value.ts';
import type { TimedValue } from './renewed-value.ts';
import type { ServiceFetch } from '../../forward/service-fetch.ts';

/** GitHub's clock may be behind ours; its documentation advises this much. */
const issuedBeforeSeconds = 60;
/** GitHub takes at most 600 from its own clock on; the rest is for a clock that is behind. */
const statementSeconds = 540;

const responseSchema = z.object({
  token: z.string().regex(/^[\x21-\x7e]{1,4096}$/),
  expires_at: z.iso.datetime({ offset: true }),
});
const errorSchema = z.object({ message: z.string().regex(/^[A-Za-z ,.'()-]{1,200}$/) });

export interface GithubAppTokensOptions {
  readonly name: string;
  /** The app's id, or its client id. */
  readonly appId: string;
  readonly installationId: string;
  readonly apiUrl: string;
  /** Fewer than the installation has. */
  readonly permissions?: Readonly<Record<string, string>>;
  /** Names without owner; all of the installation if absent. */
  readonly repositories?: readonly string[];
  /** RSA private key, PEM. */
  readonly privateKey: CredentialSource;
  readonly fetch: ServiceFetch;
  readonly background: BackgroundRenewals;
}

/** `read` gives a token that is valid now. */
export class GithubAppTokens implements CredentialSource {
  readonly #options: GithubAppTokensOptions;
  readonly #tokens: RenewedValue<Secret<string>>;

  constructor(options: GithubAppTokensOptions) {
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
    const { apiUrl, installationId, permissions, repositories, fetch } = this.#options;
    const statement = await this.#statement(nowMs);
    const url = `${apiUrl.replace(/\/$/, '')}/app/installations/${installationId}/access_tokens`;
    const { status, text } = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${statement}`,
        accept: 'application/vnd.github+json',
        'x-github-api-version': '2022-11-28',
        // GitHub refuses requests without it.
        'user-agent': 'upstreamproxy',
        'content-type': 'application/json',
      },
      body: JSON.stringify({ permissions, repositories }),
    }).catch((error: unknown) => {
      throw this.#unavailable(`${hostOf(apiUrl)} cannot be reached`, error);
    });
    return this.#tokenOf(status, text, nowMs);
  }

  #tokenOf(status: number, text: string, nowMs: number): TimedValue<Secret<string>> {
    const host = hostOf(this.#options.apiUrl);
    const json = jsonOf(text);
    if (status !== 201) {
      const said = errorSchema.safeParse(json);
      const words = said.success ? `, ${said.data.message}` : '';
      throw this.#unavailable(`${host} refused an installation token (status ${String(status)}${words})`);
    }
    const parsed = responseSchema.safeParse(json);
    if (!parsed.success) throw this.#unavailable(`${host} responded with no installation token`);
    const lifetimeMs = Date.parse(parsed.data.expires_at) - nowMs;
    if (lifetimeMs <= 0) throw this.#unavailable(`${host} gave a token that has ended; is the clock right?`);
    return timedValue(new Secret(parsed.data.token), nowMs, lifetimeMs);
  }

  /** Signed anew for each request: it is used once. */
  async #statement(nowMs: number): Promise<string> {
    const { appId, privateKey } = this.#options;
    const key = this.#keyOf(await privateKey.read(nowMs));
    const nowSeconds = Math.floor(nowMs / 1000);
    return new SignJWT()
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
      .setIssuer(appId)
      .setIssuedAt(nowSeconds - issuedBeforeSeconds)
      .setExpirationTime(nowSeconds + statementSeconds)
      .sign(key);
  }

  /** GitHub hands keys out as PKCS #1, which Node reads as well as PKCS #8. */
  #keyOf(pem: Secret<string>): KeyObject {
    let key: KeyObject;
    try {
      key = createPrivateKey(pem.reveal());
    } catch {
      // No cause: OpenSSL's errors say nothing more, and none may quote the key.
      throw this.#unavailable('the source has no private key as PEM');
    }
    if (key.asymmetricKeyType !== 'rsa') throw this.#unavailable('the private key is not RSA');
    return key;
  }

  #unavailable(what: string, cause?: unknown): ProxyError {
    return new ProxyError('credential_unavailable', `credential ${this.#options.name}: ${what}`, { cause });
  }
}
