// Trusted publishing: an identity token of a job is exchanged at the registry for a token that publishes, and lives for minutes.

import { z } from 'zod';
import { Secret } from '../../../protocol/secret.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import type { Minted } from './minted-value.ts';
import type { TokenResponse, TokenService } from './token-service.ts';

export type PublishRegistry = 'npm' | 'pypi' | 'crates';

export interface PublishTokensOptions {
  readonly service: TokenService;
  readonly registry: PublishRegistry;
  /** Without a slash at its end. */
  readonly registryUrl: string;
  /** As the registry writes its name; npm binds the token to it. */
  readonly package: string;
  /** The source of the identity token, whose audience is the registry's. */
  readonly identity: CredentialSource;
}

/** No registry says at all times how long its token lives; it is minted anew behind that, or where the registry refuses it. */
const unstatedLifetimeMs = 300_000;
const token = z.string().regex(/^[\x21-\x7e]{1,16384}$/);
const tokenSchema = z.object({ token });
/** PyPI says when it ends, in seconds. */
const endSchema = z.object({ expires: z.number().positive() });
const words = z.string().regex(/^[A-Za-z0-9 ,.'`()_-]{1,200}$/);
const faultSchema = z.union([
  z
    .object({ errors: z.tuple([z.object({ code: words })], z.unknown()) })
    .transform(({ errors }) => errors[0].code),
  z
    .object({ errors: z.tuple([z.object({ detail: words })], z.unknown()) })
    .transform(({ errors }) => errors[0].detail),
  z.object({ message: words }).transform(({ message }) => message),
]);

export class PublishTokens {
  readonly #options: PublishTokensOptions;

  constructor(options: PublishTokensOptions) {
    this.#options = options;
  }

  /** @throws ProxyError credential_unavailable */
  async mint(nowMs: number): Promise<Minted<Secret<string>>> {
    const { service, registry, identity } = this.#options;
    const proof = (await (identity.readAnew?.(nowMs) ?? identity.read(nowMs))).reveal();
    const response = await this.#exchange(proof, nowMs);
    if (response.status !== 200 && response.status !== 201) {
      const said = faultSchema.safeParse(response.json);
      throw service.refused(response, 'a token to publish with', said.success ? said.data : undefined);
    }
    const parsed = tokenSchema.safeParse(response.json);
    if (!parsed.success) throw service.unfit(response, 'responded with no token to publish with');
    const end = registry === 'pypi' ? endSchema.safeParse(response.json) : undefined;
    const lifetimeMs =
      end?.success === true ? end.data.expires * 1000 - response.serviceMs : unstatedLifetimeMs;
    if (!(lifetimeMs > 0)) throw service.unfit(response, 'gave a token that has ended already');
    return { value: new Secret(parsed.data.token), lifetimeMs };
  }

  #exchange(proof: string, nowMs: number): Promise<TokenResponse> {
    const { service, registry, registryUrl, package: name } = this.#options;
    const headers = { accept: 'application/json', 'user-agent': 'upstreamproxy' };
    const asJson = { ...headers, 'content-type': 'application/json' };
    if (registry === 'npm') {
      const url = `${registryUrl}/-/npm/v1/oidc/token/exchange/package/${name.replace('/', '%2f')}`;
      const authorization = `Bearer ${proof}`;
      return service.ask(url, { method: 'POST', headers: { ...headers, authorization } }, nowMs);
    }
    if (registry === 'pypi') {
      const body = JSON.stringify({ token: proof });
      return service.ask(
        `${registryUrl}/_/oidc/mint-token`,
        { method: 'POST', headers: asJson, body },
        nowMs,
      );
    }
    const body = JSON.stringify({ jwt: proof });
    const url = `${registryUrl}/api/v1/trusted_publishing/tokens`;
    return service.ask(url, { method: 'POST', headers: asJson, body }, nowMs);
  }
}
