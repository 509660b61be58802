// The token services of Google Cloud as their documentation has them: the token endpoint of OAuth (RFC 7523), the Security Token Service
// (RFC 8693) and the Service Account Credentials API. Every proof is verified, and every token is known with what it is for.
// Deviations: no quota, no delegation chains, no audit; IAM is one list of who may impersonate whom.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';

import { openService } from './service.ts';
import type { ServiceCall, ServiceReply, TestService } from './service.ts';

export interface GoogleGrant {
  readonly account: string;
  readonly scopes: readonly string[];
}

export interface GoogleServices extends TestService {
  /** In the form that the console hands out; the whole text is a secret. */
  readonly keyFile: string;
  readonly email: string;
  /** A token of the issuer that the pool trusts. */
  subjectToken(change?: { readonly audience?: string; readonly seconds?: number }): Promise<string>;
  readonly poolAudience: string;
  /** Tokens of all three services, newest last. */
  readonly tokens: readonly string[];
  grant(token: string): GoogleGrant | undefined;
}

export interface GoogleServicesOptions {
  /** Whom the service account and the pool may impersonate. */
  readonly impersonates?: string;
  readonly lifetimeSeconds?: number;
  readonly clock?: () => number;
}

const email = 'agent@my-project.iam.gserviceaccount.com';
const poolAudience =
  '//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/pool/providers/gateway';
const platform = 'https://www.googleapis.com/auth/cloud-platform';
const serviceKey = generateKeyPairSync('rsa', { modulusLength: 2048 });
const issuerKey = generateKeyPairSync('rsa', { modulusLength: 2048 });

export async function openGoogleServices(options: GoogleServicesOptions = {}): Promise<GoogleServices> {
  const { impersonates, lifetimeSeconds = 3600, clock = Date.now } = options;
  const grants = new Map<string, GoogleGrant>();
  const give = (grant: GoogleGrant): string => {
    const token = `ya29.${randomBytes(24).toString('base64url')}`;
    grants.set(token, grant);
    return token;
  };
  const respond = async (call: ServiceCall): Promise<ServiceReply> => {
    const { path, method } = call;
    if (method !== 'POST') return rpcFault(404, 'NOT_FOUND');
    if (path === '/token') return ofKey(call);
    if (path === '/v1/token') return ofPool(call);
    return ofAccount(call);
  };

  const ofKey = async ({ headers, body }: ServiceCall): Promise<ServiceReply> => {
    const form = formOf(headers['content-type'], body);
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer')
      return fault('unsupported_grant_type');
    try {
      const { payload } = await jwtVerify(form.get('assertion') ?? '', serviceKey.publicKey, {
        algorithms: ['RS256'],
        audience: `${service.url}/token`,
        issuer: email,
        requiredClaims: ['iat', 'exp'],
        currentDate: new Date(clock()),
      });
      if ((payload.exp ?? 0) - (payload.iat ?? 0) > 3600) return fault('invalid_grant');
      const target = payload['target_audience'];
      if (typeof target === 'string')
        return { status: 200, body: { id_token: await idToken(target, email) } };
      const scopes = String(payload['scope'] ?? '')
        .split(' ')
        .filter((one) => one !== '');
      if (scopes.length === 0) return fault('invalid_scope');
      return access(give({ account: email, scopes }));
    } catch {
      return fault('invalid_grant');
    }
  };

  const ofPool = async ({ headers, body }: ServiceCall): Promise<ServiceReply> => {
    const form = formOf(headers['content-type'], body);
    const isExchange =
      form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:token-exchange' &&
      form.get('requested_token_type') === 'urn:ietf:params:oauth:token-type:access_token' &&
      form.get('subject_token_type') === 'urn:ietf:params:oauth:token-type:jwt';
    if (!isExchange || form.get('audience') !== poolAudience) return fault('invalid_request');
    try {
      await jwtVerify(form.get('subject_token') ?? '', issuerKey.publicKey, {
        algorithms: ['RS256'],
        audience: poolAudience,
        issuer: 'https://issuer.example.com',
        currentDate: new Date(clock()),
      });
    } catch {
      return fault('invalid_grant');
    }
    const { body: given } = access(
      give({ account: 'principal://pool/gateway', scopes: (form.get('scope') ?? '').split(' ') }),
    );
    return {
      status: 200,
      body: { ...(given as object), issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' },
    };
  };

  const ofAccount = async ({ path, headers, body }: ServiceCall): Promise<ServiceReply> => {
    const match = /^\/v1\/projects\/-\/serviceAccounts\/([^:/]+):(generateAccessToken|generateIdToken)$/.exec(
      path,
    );
    if (match === null) return rpcFault(404, 'NOT_FOUND');
    const own = grants.get(headers.authorization?.replace(/^Bearer /, '') ?? '');
    if (own === undefined) return rpcFault(401, 'UNAUTHENTICATED');
    const account = decodeURIComponent(match[1] ?? '');
    if (!own.scopes.includes(platform) || account !== impersonates) return rpcFault(403, 'PERMISSION_DENIED');
    const { scope, lifetime, audience } = body as { scope?: string[]; lifetime?: string; audience?: string };
    if (match[2] === 'generateIdToken')
      return { status: 200, body: { token: await idToken(audience ?? '', account) } };
    const seconds = Number(/^(\d+)s$/.exec(lifetime ?? '')?.[1] ?? Number.NaN);
    if (!Array.isArray(scope) || scope.length === 0 || !(seconds <= 3600))
      return rpcFault(400, 'INVALID_ARGUMENT');
    const expireTime = new Date(clock() + seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
    return { status: 200, body: { accessToken: give({ account, scopes: scope }), expireTime } };
  };

  const access = (token: string): ServiceReply => ({
    status: 200,
    body: { access_token: token, expires_in: lifetimeSeconds, token_type: 'Bearer' },
  });

  const idToken = async (audience: string, account: string): Promise<string> => {
    const token = await new SignJWT({ email: account, email_verified: true })
      .setProtectedHeader({ alg: 'RS256', kid: 'google' })
      .setIssuer('https://accounts.google.com')
      .setAudience(audience)
      .setIssuedAt(Math.floor(clock() / 1000))
      .setExpirationTime(Math.floor(clock() / 1000) + 3600)
      .sign(issuerKey.privateKey);
    grants.set(token, { account, scopes: [audience] });
    return token;
  };

  const service = await openService(respond);
  return {
    url: service.url,
    calls: service.calls,
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
    email,
    poolAudience,
    keyFile: JSON.stringify({
      type: 'service_account',
      project_id: 'my-project',
      private_key_id: 'k1',
      private_key: serviceKey.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      client_email: email,
      // Whoever writes the file may name another place: it is not asked.
      token_uri: 'https://elsewhere.example.com/token',
    }),
    subjectToken: ({ audience = poolAudience, seconds = 600 } = {}) =>
      new SignJWT({})
        .setProtectedHeader({ alg: 'RS256' })
        .setIssuer('https://issuer.example.com')
        .setSubject('gateway')
        .setAudience(audience)
        .setExpirationTime(Math.floor(clock() / 1000) + seconds)
        .sign(issuerKey.privateKey),
    get tokens() {
      return [...grants.keys()];
    },
    grant: (token) => grants.get(token),
  };
}

function formOf(type: string | undefined, body: unknown): URLSearchParams {
  return new URLSearchParams(type === 'application/x-www-form-urlencoded' ? String(body) : '');
}

function fault(error: string): ServiceReply {
  return { status: 400, body: { error, error_description: 'it says more, which nobody is told' } };
}

function rpcFault(status: number, word: string): ServiceReply {
  return {
    status,
    body: { error: { code: status, message: 'it says more, which nobody is told', status: word } },
  };
}
