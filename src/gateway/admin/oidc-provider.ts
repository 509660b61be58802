// An identity provider as its metadata say, by `openid-client`: where a person is sent, and who came back (OpenID Connect Core 1.0 §3.1).

import * as client from 'openid-client';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { OidcSettings } from '../config/oidc-settings.ts';
import type { CredentialSource } from '../credentials/sources/credential-source.ts';
import { fetchReason, type ServiceOctetFetch } from '../forward/service-fetch.ts';
import { type Person, personOf } from './person.ts';

export interface OidcProviderOptions {
  readonly settings: Pick<OidcSettings, 'issuer' | 'clientId' | 'scopes' | 'groupsClaim'>;
  readonly secret: CredentialSource;
  /** PEM certificates beside the usual ones. */
  readonly ca: readonly string[];
  readonly fetch: ServiceOctetFetch;
  readonly clock: () => number;
}

/** What is remembered of somebody who was sent there. */
export interface LogInChecks {
  readonly state: string;
  readonly nonce: string;
  /** PKCE (RFC 7636). */
  readonly verifier: string;
}

interface Known {
  readonly configuration: client.Configuration;
  readonly untilMs: number;
}

/** After a look that failed, the next one waits for so long: nobody waits for the same fault again and again. */
const lookAgainMs = 5_000;

export class OidcProvider {
  readonly #options: OidcProviderOptions;
  #known: Known | undefined;
  #looking: Promise<client.Configuration> | undefined;
  #failed: { readonly error: unknown; readonly untilMs: number } | undefined;
  #clientAuth: client.ClientAuth = client.None();

  constructor(options: OidcProviderOptions) {
    this.#options = options;
  }

  /** Where to send a person. @throws ProxyError identity_provider_unavailable */
  async begin(redirectUri: string): Promise<{ readonly url: string; readonly checks: LogInChecks }> {
    const configuration = await this.#configuration();
    const verifier = client.randomPKCECodeVerifier();
    const [state, nonce] = [client.randomState(), client.randomNonce()];
    const challenge = await client.calculatePKCECodeChallenge(verifier);
    const url = this.#authorizationUrl(configuration, { redirectUri, challenge, state, nonce });
    return { url: url.href, checks: { state, nonce, verifier } };
  }

  #authorizationUrl(
    configuration: client.Configuration,
    asked: {
      readonly redirectUri: string;
      readonly challenge: string;
      readonly state: string;
      readonly nonce: string;
    },
  ): URL {
    let url: URL;
    try {
      url = client.buildAuthorizationUrl(configuration, {
        redirect_uri: asked.redirectUri,
        scope: this.#options.settings.scopes.join(' '),
        code_challenge: asked.challenge,
        code_challenge_method: 'S256',
        state: asked.state,
        nonce: asked.nonce,
      });
    } catch (error) {
      throw unavailable('its metadata have no page for log-in', error);
    }
    if (url.protocol !== 'https:') throw unavailable('its page for log-in is not https');
    return url;
  }

  /** Who came back by that address. @throws ProxyError identity_provider_unavailable, operator_unknown */
  async finish(callback: URL, { state, nonce, verifier }: LogInChecks): Promise<Person> {
    const configuration = await this.#configuration();
    await this.#useSecret(configuration);
    const { groupsClaim } = this.#options.settings;
    try {
      const tokens = await client.authorizationCodeGrant(configuration, callback, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined || claims.iss !== configuration.serverMetadata().issuer)
        throw refused('its token is of another issuer');
      // Some providers keep claims out of the token.
      const isComplete = Object.hasOwn(claims, groupsClaim);
      if (isComplete || configuration.serverMetadata().userinfo_endpoint === undefined)
        return personOf(claims, groupsClaim);
      const more = await client.fetchUserInfo(configuration, tokens.access_token, claims.sub);
      return personOf({ ...more, iss: claims.iss, sub: claims.sub }, groupsClaim);
    } catch (error) {
      throw faultOf(error);
    }
  }

  /** Where a person logs out there too; undefined where the provider has no such page, or cannot be asked. */
  async logOutUrl(returnTo: string): Promise<string | undefined> {
    try {
      const configuration = await this.#configuration();
      if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined;
      const url = client.buildEndSessionUrl(configuration, {
        client_id: this.#options.settings.clientId,
        post_logout_redirect_uri: returnTo,
      });
      return url.protocol === 'https:' ? url.href : undefined;
    } catch {
      // The session here has ended, which is what was asked for first.
      return undefined;
    }
  }

  async #configuration(): Promise<client.Configuration> {
    const { clock } = this.#options;
    const known = this.#known;
    if (known !== undefined && clock() < known.untilMs) return known.configuration;
    if (this.#failed !== undefined && clock() < this.#failed.untilMs) {
      if (known !== undefined) return known.configuration;
      throw this.#failed.error;
    }
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    try {
      return await this.#looking;
    } catch (error) {
      this.#failed = { error, untilMs: clock() + lookAgainMs };
      if (known !== undefined) return known.configuration;
      throw error;
    }
  }

  async #look(): Promise<client.Configuration> {
    const { settings, clock } = this.#options;
    const authenticate: client.ClientAuth = (...asked) => this.#clientAuth(...asked);
    try {
      const configuration = await client.discovery(
        new URL(settings.issuer),
        settings.clientId,
        {},
        authenticate,
        {
          [client.customFetch]: (url, asked) => this.#fetch(url, asked),
          timeout: defaultLimits.providerTimeoutMs / 1000,
          // The signature of the token counts, not only that it came over TLS; so none without one is taken.
          execute: [client.enableNonRepudiationChecks],
        },
      );
      this.#known = { configuration, untilMs: clock() + defaultLimits.providerMetadataMs };
      this.#failed = undefined;
      return configuration;
    } catch (error) {
      const fault = faultOf(error);
      throw fault.code === 'identity_provider_unavailable'
        ? fault
        : unavailable('its metadata are not as they must be', error);
    }
  }

  /** It may have changed since the last log-in. RFC 6749 §2.3.1: by Basic, unless the provider takes it in the body alone. */
  async #useSecret(configuration: client.Configuration): Promise<void> {
    const { secret, clock } = this.#options;
    const value = (await secret.read(clock())).reveal();
    const { token_endpoint_auth_methods_supported: methods = ['client_secret_basic'] } =
      configuration.serverMetadata();
    this.#clientAuth = methods.includes('client_secret_basic')
      ? client.ClientSecretBasic(value)
      : client.ClientSecretPost(value);
  }

  async #fetch(url: string, { method, headers, body, signal }: client.CustomFetchOptions): Promise<Response> {
    const { fetch, ca } = this.#options;
    const { status, octets, contentType } = await fetch(url, {
      method: method === 'POST' ? 'POST' : 'GET',
      headers,
      ...(body instanceof URLSearchParams || typeof body === 'string' ? { body: String(body) } : {}),
      ...(signal === undefined ? {} : { signal }),
      ...(ca.length === 0 ? {} : { ca }),
      timeoutMs: defaultLimits.providerTimeoutMs,
    }).catch((error: unknown) => {
      throw unavailable(fetchReason(error), error);
    });
    if (status >= 500) throw unavailable(`it responds with status ${status}`);
    const fields = contentType === undefined ? {} : { 'content-type': contentType };
    const isEmpty = status === 204 || status === 205 || status === 304;
    return new Response(isEmpty ? null : Uint8Array.from(octets), { status, headers: fields });
  }
}

function unavailable(why: string, cause?: unknown): ProxyError {
  return new ProxyError('identity_provider_unavailable', `the identity provider cannot be used: ${why}`, {
    cause,
  });
}

function refused(why: string, cause?: unknown): ProxyError {
  return new ProxyError('operator_unknown', `the identity provider did not log you in: ${why}`, { cause });
}

/** RFC 6749 §4.1.2.1 and §5.2: a word, which is all of its texts that is ever told on. */
const wordPattern = /^[a-z_]{1,64}$/;

/** What the library threw, in words of ours. Its own may hold what somebody else wrote. */
function faultOf(error: unknown): ProxyError {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) {
    if (at instanceof ProxyError) return at;
    if (at instanceof client.AuthorizationResponseError || at instanceof client.ResponseBodyError) {
      const word = wordPattern.test(at.error) ? at.error : 'an error';
      const isOurs = at instanceof client.ResponseBodyError && word !== 'invalid_grant';
      return isOurs
        ? unavailable(`it refuses this gateway (${word}); look at clientId and clientSecret`, error)
        : refused(`it says ${word}`, error);
    }
  }
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  return refused(
    `what it sent is not as it must be${/^[A-Z_]{1,64}$/.test(code) ? ` (${code})` : ''}`,
    error,
  );
}
