// Tokens of Microsoft Entra ID: a token of another issuer that the application trusts is its proof (RFC 7523 §2.2), and no secret of the
// application exists.

import { z } from 'zod';
import { Secret } from '../../../protocol/secret.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import type { Minted } from './minted-value.ts';
import type { TokenResponse, TokenService } from './token-service.ts';

export interface AzureTokensOptions {
  readonly service: TokenService;
  /** The source of the federated token. */
  readonly assertion: CredentialSource;
  readonly authorityUrl: string;
  readonly tenant: string;
  readonly clientId: string;
  /** Ends in `/.default`. */
  readonly scope: string;
}

const tokenSchema = z.object({
  access_token: z.string().regex(/^[\x21-\x7e]{1,16384}$/),
  token_type: z.string().regex(/^bearer$/i),
  expires_in: z.coerce.number().positive(),
});
/** The word of RFC 6749 §5.2, and the number by which Microsoft documents what is wrong. */
const faultSchema = z.object({
  error: z.string().regex(/^[a-z_]{1,64}$/),
  error_codes: z.array(z.int().min(1).max(99_999_999)).optional(),
});

export class AzureTokens {
  readonly #options: AzureTokensOptions;

  constructor(options: AzureTokensOptions) {
    this.#options = options;
  }

  /** @throws ProxyError credential_unavailable */
  async mint(nowMs: number): Promise<Minted<Secret<string>>> {
    const { service, assertion, authorityUrl, tenant, clientId, scope } = this.#options;
    const proof = await (assertion.readAnew?.(nowMs) ?? assertion.read(nowMs));
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      scope,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: proof.reveal(),
    });
    const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
    const url = `${authorityUrl}/${tenant}/oauth2/v2.0/token`;
    const response = await service.ask(url, { method: 'POST', headers, body: form.toString() }, nowMs);
    if (response.status !== 200) throw service.refused(response, 'a token', wordsOf(response));
    const parsed = tokenSchema.safeParse(response.json);
    if (!parsed.success) throw service.unfit(response, 'responded with no bearer token');
    const { access_token: token, expires_in: seconds } = parsed.data;
    return { value: new Secret(token), lifetimeMs: seconds * 1000 };
  }
}

function wordsOf({ json }: TokenResponse): string | undefined {
  const said = faultSchema.safeParse(json);
  if (!said.success) return undefined;
  const [code] = said.data.error_codes ?? [];
  return code === undefined ? said.data.error : `${said.data.error}, AADSTS${String(code)}`;
}
