// Managed identities of Azure for libraries in the container: the endpoint of App Service and Container Apps at the gateway's own name, and the
// instance metadata service. Every token is a placeholder.
// https://learn.microsoft.com/azure/app-service/overview-managed-identity and
// https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token have the fields.

import { Buffer } from 'node:buffer';
import { timingSafeEqual } from 'node:crypto';
import { lookAlikeJwt } from './look-alike-jwt.ts';
import type { EmulatedRequest, EmulatedResponse, Emulation } from './emulations.ts';

export interface AzureIdentityOptions {
  readonly tenant: string;
  readonly clientId: string;
  /** In place of each token. */
  readonly placeholder: string;
  /** The gateway's own name. */
  readonly ownHost: string;
}

export const azureIdentityPath = '/identity/azure/token';
const instancePath = '/metadata/identity/oauth2/token';
const metadataAddress = '169.254.169.254';
/** What libraries take a token to live; under two hours none of them renews it early. */
const tokenSeconds = 3599;

export function azureIdentity(options: AzureIdentityOptions): Emulation {
  const { ownHost, placeholder } = options;
  return {
    hosts: [metadataAddress],
    variables: {
      IDENTITY_ENDPOINT: `http://${ownHost}${azureIdentityPath}`,
      IDENTITY_HEADER: placeholder,
    },
    respond: (request) => {
      const { path, host } = request;
      if (host === ownHost && path === azureIdentityPath) return fromApplication(request, options);
      if (host === metadataAddress && path === instancePath) return fromInstance(request, options);
      return undefined;
    },
  };
}

function fromApplication(request: EmulatedRequest, options: AzureIdentityOptions): EmulatedResponse {
  if (!isSame(request.field('x-identity-header') ?? '', options.placeholder))
    return fault(401, 'invalid_request', 'the header X-IDENTITY-HEADER is not the value of IDENTITY_HEADER');
  return tokenOf(request, options, '2019-08-01');
}

function fromInstance(request: EmulatedRequest, options: AzureIdentityOptions): EmulatedResponse {
  if (request.field('metadata')?.toLowerCase() !== 'true')
    return fault(400, 'invalid_request', 'Required metadata header not specified');
  // The real one refuses what a proxy sends for somebody else.
  if (request.field('x-forwarded-for') !== undefined)
    return fault(400, 'invalid_request', 'X-Forwarded-For is not allowed');
  return tokenOf(request, options, '2018-02-01');
}

function tokenOf(
  { method, query, nowMs }: EmulatedRequest,
  { tenant, clientId, placeholder }: AzureIdentityOptions,
  apiVersion: string,
): EmulatedResponse {
  if (method !== 'GET') return fault(405, 'invalid_request', 'Method not allowed');
  const asked = new URLSearchParams(query);
  const resource = asked.get('resource') ?? '';
  if ((asked.get('api-version') ?? '') < apiVersion)
    return fault(400, 'invalid_request', `the parameter api-version is missing or older than ${apiVersion}`);
  if (!/^[\x21-\x7e]{1,1024}$/.test(resource))
    return fault(400, 'invalid_request', 'Required query variable resource is missing');
  const seconds = Math.floor(nowMs / 1000);
  const ends = seconds + tokenSeconds;
  const claims = { aud: resource, appid: clientId, exp: ends, iat: seconds, nbf: seconds, tid: tenant };
  return json(200, {
    access_token: lookAlikeJwt(
      { ...claims, iss: `https://sts.windows.net/${tenant}/`, oid: clientId },
      placeholder,
    ),
    client_id: clientId,
    expires_in: String(tokenSeconds),
    expires_on: String(ends),
    ext_expires_in: String(tokenSeconds),
    not_before: String(seconds),
    resource,
    token_type: 'Bearer',
  });
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function fault(status: number, error: string, description: string): EmulatedResponse {
  return json(status, { error, error_description: description });
}

function json(status: number, value: unknown): EmulatedResponse {
  return { status, type: 'application/json; charset=utf-8', text: JSON.stringify(value) };
}
