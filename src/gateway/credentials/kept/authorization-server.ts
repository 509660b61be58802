// Where an authorization server has what, by its metadata (RFC 8414, OpenID Connect Discovery 1.0) or by the configuration.

import { z } from 'zod';
import { ProxyError } from '../../../protocol/error.ts';
import { fetchReason, isServiceUrl, type ServiceOctetFetch } from '../../forward/service-fetch.ts';
import { hostOf, jsonOf } from '../sources/issuer-text.ts';
import type { ClientAuthWay } from './kept-value.ts';
import type { LogInSettings } from './log-in-settings.ts';

const url = z.string().max(2048).refine(isServiceUrl);
const metadataSchema = z.object({
  issuer: z.string().max(2048),
  token_endpoint: url,
  authorization_endpoint: url.optional(),
  device_authorization_endpoint: url.optional(),
  revocation_endpoint: url.optional(),
  token_endpoint_auth_methods_supported: z.array(z.string().max(64)).max(32).optional(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
});

export interface AuthorizationServer {
  readonly issuer: string | undefined;
  /** It names itself when it sends somebody back (RFC 9207). */
  readonly namesItself: boolean;
  readonly tokenUrl: string;
  readonly authorizationUrl: string | undefined;
  readonly deviceUrl: string | undefined;
  readonly revocationUrl: string | undefined;
  readonly auth: ClientAuthWay;
}

/** @throws ProxyError credential_unavailable */
export async function authorizationServerOf(
  settings: LogInSettings,
  fetch: ServiceOctetFetch,
  ca: readonly string[],
): Promise<AuthorizationServer> {
  const { issuer, tokenUrl = '' } = settings;
  if (issuer === undefined)
    return {
      issuer,
      namesItself: false,
      tokenUrl,
      authorizationUrl: settings.authorizationUrl,
      deviceUrl: settings.deviceUrl,
      revocationUrl: settings.revocationUrl,
      auth: authOf(settings, undefined),
    };
  const found = await metadataOf(issuer, fetch, ca);
  return {
    issuer,
    namesItself: found.authorization_response_iss_parameter_supported ?? false,
    tokenUrl: found.token_endpoint,
    authorizationUrl: settings.authorizationUrl ?? found.authorization_endpoint,
    deviceUrl: settings.deviceUrl ?? found.device_authorization_endpoint,
    revocationUrl: settings.revocationUrl ?? found.revocation_endpoint,
    auth: authOf(settings, found.token_endpoint_auth_methods_supported),
  };
}

async function metadataOf(
  issuer: string,
  fetch: ServiceOctetFetch,
  ca: readonly string[],
): Promise<z.output<typeof metadataSchema>> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const places = [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
  let why = '';
  for (const place of places) {
    const response = await fetch(place, {
      method: 'GET',
      headers: { accept: 'application/json' },
      ...(ca.length === 0 ? {} : { ca }),
    }).catch((error: unknown) => {
      throw unusable(issuer, fetchReason(error), error);
    });
    const metadata = metadataSchema.safeParse(jsonOf(response.text));
    // RFC 8414 §3.3: those of another one could send codes and tokens elsewhere.
    if (metadata.success && metadata.data.issuer === issuer) return metadata.data;
    why ||= metadata.success
      ? 'its metadata are of another issuer'
      : `it has no metadata (status ${response.status})`;
  }
  throw unusable(issuer, why);
}

/** RFC 6749 §2.3.1: by Basic, unless the server takes it in the body alone. */
function authOf(
  { source, clientAuth }: LogInSettings,
  methods: readonly string[] | undefined,
): ClientAuthWay {
  if (source === undefined) return 'none';
  return clientAuth ?? (methods?.includes('client_secret_basic') === false ? 'post' : 'basic');
}

function unusable(issuer: string, why: string, cause?: unknown): ProxyError {
  const message = `the authorization server ${hostOf(issuer)} cannot be used: ${why}`;
  return new ProxyError('credential_unavailable', message, { cause });
}
