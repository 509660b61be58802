// The token endpoint of Microsoft Entra ID as its documentation has it, for one application with one federated credential.
// Deviations: one tenant, one resource, no conditional access; tokens are opaque.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';

import { openService } from './service.ts';
import type { ServiceCall, ServiceReply, TestService } from './service.ts';

export const tenant = '11111111-2222-4333-8444-555555555555';
export const clientId = '99999999-8888-4777-8666-555555555555';
export const scope = 'https://vault.azure.net/.default';
/** The audience that Entra ID recommends for federated credentials. */
const audience = 'api://AzureADTokenExchange';
const issuer = 'https://issuer.example.com';
const key = generateKeyPairSync('rsa', { modulusLength: 2048 });

export interface EntraService extends TestService {
  /** A token of the issuer that the application trusts. */
  assertion(change?: { readonly audience?: string }): Promise<string>;
  readonly tokens: readonly string[];
  scopeOf(token: string): string | undefined;
}

export async function openEntraService(): Promise<EntraService> {
  const grants = new Map<string, string>();
  const respond = async ({ method, path, headers, body }: ServiceCall): Promise<ServiceReply> => {
    if (method !== 'POST' || path !== `/${tenant}/oauth2/v2.0/token`)
      return fault(400, 'invalid_request', 90002);
    if (headers['content-type'] !== 'application/x-www-form-urlencoded')
      return fault(400, 'invalid_request', 900144);
    const form = new URLSearchParams(String(body));
    if (form.get('grant_type') !== 'client_credentials') return fault(400, 'unsupported_grant_type', 70003);
    if (form.get('client_id') !== clientId) return fault(400, 'unauthorized_client', 700016);
    if (form.get('client_assertion_type') !== 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
      return fault(401, 'invalid_client', 7000218);
    try {
      await jwtVerify(form.get('client_assertion') ?? '', key.publicKey, {
        algorithms: ['RS256'],
        audience,
        issuer,
      });
    } catch {
      return fault(401, 'invalid_client', 700212);
    }
    if (form.get('scope') !== scope) return fault(400, 'invalid_resource', 500011);
    const token = randomBytes(40).toString('base64url');
    grants.set(token, scope);
    return {
      status: 200,
      body: { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: token },
    };
  };
  const service = await openService(respond);
  return {
    url: service.url,
    calls: service.calls,
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
    assertion: (change = {}) =>
      new SignJWT({})
        .setProtectedHeader({ alg: 'RS256' })
        .setIssuer(issuer)
        .setSubject('gateway')
        .setAudience(change.audience ?? audience)
        .setExpirationTime('10m')
        .sign(key.privateKey),
    get tokens() {
      return [...grants.keys()];
    },
    scopeOf: (token) => grants.get(token),
  };
}

function fault(status: number, error: string, code: number): ServiceReply {
  const description = `AADSTS${code}: No matching federated identity record found. Trace ID: 0`;
  return { status, body: { error, error_description: description, error_codes: [code] } };
}
