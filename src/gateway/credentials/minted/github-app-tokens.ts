// Installation tokens of a GitHub App: a signed statement of the app is exchanged for a token that lives an hour.

import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { SignJWT } from 'jose/jwt/sign';
import { z } from 'zod';
import { Secret } from '../../../protocol/secret.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import type { Minted } from './minted-value.ts';
import type { TokenResponse, TokenService } from './token-service.ts';

/** GitHub's clock may be behind ours; its documentation advises this much. */
const issuedBeforeSeconds = 60;
/** GitHub takes at most 600 from its own clock on; the rest is for a clock that is behind. */
const statementSeconds = 540;

const responseSchema = z.object({
  token: z.string().regex(/^[\x21-\x7e]{1,4096}$/),
  expires_at: z.iso.datetime({ offset: true }),
  permissions: z.record(z.string(), z.string()).optional(),
  repository_selection: z.string().optional(),
});
const errorSchema = z.object({ message: z.string().regex(/^[A-Za-z ,.'()-]{1,200}$/) });
const levels = ['read', 'write', 'admin'];

export interface GithubAppTokensOptions {
  readonly service: TokenService;
  /** The app's id, or its client id. */
  readonly appId: string;
  readonly installationId: string;
  readonly apiUrl: string;
  /** Fewer than the installation has. */
  readonly permissions?: Readonly<Record<string, string>> | undefined;
  /** Names without owner; all of the installation if absent. */
  readonly repositories?: readonly string[] | undefined;
  /** RSA private key, PEM. */
  readonly privateKey: CredentialSource;
}

export class GithubAppTokens {
  readonly #options: GithubAppTokensOptions;

  constructor(options: GithubAppTokensOptions) {
    this.#options = options;
  }

  /** @throws ProxyError credential_unavailable */
  async mint(nowMs: number): Promise<Minted<Secret<string>>> {
    const { service, apiUrl, installationId, permissions, repositories } = this.#options;
    const statement = await this.#statement(nowMs);
    const url = `${apiUrl.replace(/\/$/, '')}/app/installations/${installationId}/access_tokens`;
    const request = {
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
    } as const;
    return this.#tokenOf(await service.ask(url, request, nowMs));
  }

  #tokenOf(response: TokenResponse): Minted<Secret<string>> {
    const { service } = this.#options;
    if (response.status !== 201) {
      const said = errorSchema.safeParse(response.json);
      throw service.refused(response, 'an installation token', said.success ? said.data.message : undefined);
    }
    const parsed = responseSchema.safeParse(response.json);
    if (!parsed.success) throw service.unfit(response, 'responded with no installation token');
    const { token, expires_at: ends, permissions, repository_selection: selection } = parsed.data;
    const more = this.#moreThanAsked(permissions, selection);
    if (more !== undefined)
      throw service.unfit(response, `gave a token for more than was asked for: ${more}`);
    const lifetimeMs = Date.parse(ends) - response.serviceMs;
    if (!(lifetimeMs > 0)) throw service.unfit(response, 'gave a token that has ended already');
    return { value: new Secret(token), lifetimeMs };
  }

  /** Narrower is what the configuration says; a server that does not know how gives all of the installation. */
  #moreThanAsked(
    given: Readonly<Record<string, string>> | undefined,
    selection: string | undefined,
  ): string | undefined {
    const { permissions, repositories } = this.#options;
    if (repositories !== undefined && selection === 'all') return 'all repositories';
    if (permissions === undefined || given === undefined) return undefined;
    // GitHub adds to read the metadata of repositories to everything.
    const asked: Readonly<Record<string, string>> = { metadata: 'read', ...permissions };
    for (const [name, level] of Object.entries(given)) {
      const most = Object.hasOwn(asked, name) ? levels.indexOf(asked[name] ?? '') : -1;
      // A name that is not plain is not repeated.
      if (levels.indexOf(level) > most) return /^[a-z_]{1,64}$/.test(name) ? name : 'another permission';
    }
    return undefined;
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
    const { service } = this.#options;
    let key: KeyObject;
    try {
      key = createPrivateKey(pem.reveal());
    } catch {
      // No cause: OpenSSL's errors say nothing more, and none may quote the key.
      throw service.unavailable('the source has no private key as PEM');
    }
    if (key.asymmetricKeyType !== 'rsa') throw service.unavailable('the private key is not RSA');
    return key;
  }
}
