// Tokens of Google Cloud: a proof of who we are is exchanged for a token, and that one, where an account is to be impersonated, for one of the
// account. The proof is the key of a service account (RFC 7523), or a token of another issuer that a workload identity pool trusts (RFC 8693).

import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { decodeJwt } from 'jose/jwt/decode';
import { SignJWT } from 'jose/jwt/sign';
import { z } from 'zod';
import { Secret } from '../../../protocol/secret.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import { jsonOf } from '../sources/issuer-text.ts';
import type { Minted } from './minted-value.ts';
import type { TokenResponse, TokenService } from './token-service.ts';

/** Where the services are; others than the usual are for private endpoints. */
export interface GoogleEndpoints {
  readonly token: string;
  readonly sts: string;
  readonly iamCredentials: string;
}

export interface WorkloadIdentity {
  /** The provider of the pool, as `//iam.googleapis.com/projects/…`. */
  readonly audience: string;
  readonly subjectTokenType: string;
}

export interface GoogleTokensOptions {
  readonly service: TokenService;
  readonly endpoints: GoogleEndpoints;
  /** The key file, or the token of the other issuer. */
  readonly proof: CredentialSource;
  /** Absent: the source has the key file of a service account. */
  readonly workloadIdentity?: WorkloadIdentity | undefined;
  /** The service account that is impersonated. */
  readonly account?: string | undefined;
  readonly scopes: readonly string[];
  /** An ID token for this audience in place of an access token. */
  readonly idTokenAudience?: string | undefined;
  readonly lifetimeSeconds: number;
}

/** What impersonation needs, whatever the account's token is for. */
const impersonationScopes = ['https://www.googleapis.com/auth/cloud-platform'];
const statementSeconds = 3600;
const visible = z.string().regex(/^[\x21-\x7e]{1,16384}$/);
const keySchema = z.object({
  client_email: z.string().regex(/^[^\s"\\]{3,320}$/),
  private_key: z.string().min(1).max(16_384),
  private_key_id: z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/)
    .optional(),
});
const accessSchema = z.object({
  access_token: visible,
  expires_in: z.coerce.number().positive(),
  token_type: z.string().regex(/^bearer$/i),
});
const idTokenSchema = z.object({ id_token: visible });
const impersonatedSchema = z.object({ accessToken: visible, expireTime: z.iso.datetime({ offset: true }) });
const impersonatedIdSchema = z.object({ token: visible });
/** RFC 6749 §5.2, and google.rpc.Status: one word, which is all of a response that is ever told on. */
const faultSchema = z.union([
  z.object({ error: z.string().regex(/^[a-z_]{1,64}$/) }).transform(({ error }) => error),
  z
    .object({ error: z.object({ status: z.string().regex(/^[A-Z_]{1,64}$/) }) })
    .transform(({ error }) => error.status),
]);

type Given = Minted<Secret<string>>;

export class GoogleTokens {
  readonly #options: GoogleTokensOptions;

  constructor(options: GoogleTokensOptions) {
    this.#options = options;
  }

  /** @throws ProxyError credential_unavailable */
  async mint(nowMs: number): Promise<Given> {
    const { account, workloadIdentity } = this.#options;
    const own =
      workloadIdentity === undefined ? await this.#ofKey(nowMs) : await this.#ofPool(workloadIdentity, nowMs);
    return account === undefined ? own : this.#ofAccount(account, own.value, nowMs);
  }

  /** RFC 8693: the other issuer's token for one of the pool. */
  async #ofPool({ audience, subjectTokenType }: WorkloadIdentity, nowMs: number): Promise<Given> {
    const { endpoints, proof, account, scopes } = this.#options;
    const subject = await (proof.readAnew?.(nowMs) ?? proof.read(nowMs));
    const response = await this.#post(endpoints.sts, nowMs, {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      audience,
      scope: (account === undefined ? scopes : impersonationScopes).join(' '),
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      subject_token: subject.reveal(),
      subject_token_type: subjectTokenType,
    });
    return this.#accessOf(response, 'the token of the identity pool');
  }

  /** RFC 7523: a statement that the account's key signs. */
  async #ofKey(nowMs: number): Promise<Given> {
    const { endpoints, account, scopes, idTokenAudience } = this.#options;
    const isId = idTokenAudience !== undefined && account === undefined;
    const scope = (account === undefined ? scopes : impersonationScopes).join(' ');
    const assertion = await this.#statement(isId ? { target_audience: idTokenAudience } : { scope }, nowMs);
    const response = await this.#post(endpoints.token, nowMs, {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion,
    });
    return isId
      ? this.#idTokenOf(
          response,
          idTokenSchema.transform(({ id_token: token }) => token),
        )
      : this.#accessOf(response, 'the token of the service account');
  }

  async #ofAccount(account: string, own: Secret<string>, nowMs: number): Promise<Given> {
    const { service, endpoints, scopes, idTokenAudience, lifetimeSeconds } = this.#options;
    const isId = idTokenAudience !== undefined;
    const body = isId
      ? { audience: idTokenAudience, includeEmail: true }
      : { scope: scopes, lifetime: `${String(lifetimeSeconds)}s` };
    const method = isId ? 'generateIdToken' : 'generateAccessToken';
    const at = `${endpoints.iamCredentials}/v1/projects/-/serviceAccounts/${encodeURIComponent(account)}`;
    const request = {
      method: 'POST',
      headers: { authorization: `Bearer ${own.reveal()}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    } as const;
    const response = await service.ask(`${at}:${method}`, request, nowMs);
    if (isId)
      return this.#idTokenOf(
        response,
        impersonatedIdSchema.transform(({ token }) => token),
      );
    if (response.status !== 200) throw this.#refused(response, `a token of ${account}`);
    const parsed = impersonatedSchema.safeParse(response.json);
    if (!parsed.success) throw service.unfit(response, `responded with no token of ${account}`);
    const { accessToken, expireTime } = parsed.data;
    return this.#living(response, new Secret(accessToken), Date.parse(expireTime) - response.serviceMs);
  }

  #accessOf(response: TokenResponse, what: string): Given {
    if (response.status !== 200) throw this.#refused(response, what);
    const parsed = accessSchema.safeParse(response.json);
    if (!parsed.success) throw this.#options.service.unfit(response, 'responded with no bearer token');
    const { access_token: token, expires_in: seconds } = parsed.data;
    return this.#living(response, new Secret(token), seconds * 1000);
  }

  /** Its end is in the token; the audience has to be the one that was asked for. */
  #idTokenOf(response: TokenResponse, schema: z.ZodType<string>): Given {
    const { service, idTokenAudience } = this.#options;
    if (response.status !== 200) throw this.#refused(response, 'an ID token');
    const parsed = schema.safeParse(response.json);
    const claims = parsed.success ? claimsOf(parsed.data) : undefined;
    if (!parsed.success || claims?.exp === undefined || claims.aud !== idTokenAudience)
      throw service.unfit(response, 'responded with no ID token for that audience');
    return this.#living(response, new Secret(parsed.data), claims.exp * 1000 - response.serviceMs);
  }

  #living(response: TokenResponse, value: Secret<string>, lifetimeMs: number): Given {
    if (!(lifetimeMs > 0)) throw this.#options.service.unfit(response, 'gave a token that has ended already');
    return { value, lifetimeMs };
  }

  #refused(response: TokenResponse, what: string): Error {
    const said = faultSchema.safeParse(response.json);
    return this.#options.service.refused(response, what, said.success ? said.data : undefined);
  }

  #post(url: string, nowMs: number, form: Readonly<Record<string, string>>): Promise<TokenResponse> {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
    const body = new URLSearchParams(form).toString();
    return this.#options.service.ask(url, { method: 'POST', headers, body }, nowMs);
  }

  async #statement(claims: Readonly<Record<string, string>>, nowMs: number): Promise<string> {
    const { proof, endpoints } = this.#options;
    const file = keySchema.safeParse(jsonOf((await proof.read(nowMs)).reveal()));
    if (!file.success)
      throw this.#options.service.unavailable(
        'the source has no key file of a service account, as JSON; for a token of another issuer write workloadIdentity',
      );
    const { client_email: email, private_key: pem, private_key_id: kid } = file.data;
    const key = this.#keyOf(pem);
    const nowSeconds = Math.floor(nowMs / 1000);
    // Where it is sent is the configuration's to say, never the key file's.
    return new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(kid === undefined ? {} : { kid }) })
      .setIssuer(email)
      .setSubject(email)
      .setAudience(endpoints.token)
      .setIssuedAt(nowSeconds)
      .setExpirationTime(nowSeconds + statementSeconds)
      .sign(key);
  }

  #keyOf(pem: string): KeyObject {
    try {
      const key = createPrivateKey(pem);
      if (key.asymmetricKeyType === 'rsa') return key;
    } catch {
      // No cause: OpenSSL's errors say nothing more, and none may quote the key.
    }
    throw this.#options.service.unavailable('the key file has no private key of RSA as PEM');
  }
}

/** Undefined for what is no JWT. It comes from the service itself, over TLS that was verified. */
function claimsOf(token: string): { readonly exp?: number | undefined; readonly aud?: unknown } | undefined {
  try {
    return decodeJwt(token);
  } catch {
    return undefined;
  }
}
