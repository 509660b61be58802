// The one call of GitHub's API that an app needs, as its documentation says: it verifies the statement's signature,
// issuer, times and lifetime, and forgets tokens when they end.

import type { KeyObject } from 'node:crypto';
import { randomBytes } from 'node:crypto';
import { decodeProtectedHeader, jwtVerify } from 'jose';

import { openService } from './service.ts';
import type { ServiceCall, ServiceReply, TestService } from './service.ts';

/** The longest lifetime that GitHub takes from its own clock on. */
const statementSecondsMax = 600;

export interface GithubApi extends TestService {
  /** What was given for a token that still holds. */
  grant(token: string): unknown;
  readonly tokens: readonly string[];
}

export interface GithubApiOptions {
  readonly appId: string;
  readonly installationId: string;
  readonly publicKey: KeyObject;
  readonly clock: () => number;
  readonly lifetimeMs?: number;
  /** How far its clock is ahead of the caller's. */
  readonly skewMs?: number;
  /** What it says that it gave, whatever was asked for. */
  readonly gives?: { readonly permissions?: Readonly<Record<string, string>>; readonly selection?: string };
}

export async function openGithubApi(options: GithubApiOptions): Promise<GithubApi> {
  const { appId, installationId, publicKey, clock, lifetimeMs = 3_600_000, skewMs = 0 } = options;
  const grants = new Map<string, { readonly asked: unknown; readonly endsAtMs: number }>();
  const now = (): number => clock() + skewMs;

  const faultOf = async (authorization: string): Promise<string | undefined> => {
    const statement = /^Bearer (\S+)$/.exec(authorization)?.[1] ?? '';
    try {
      if (decodeProtectedHeader(statement).alg !== 'RS256') return 'A JSON web token could not be decoded';
      const { payload } = await jwtVerify(statement, publicKey, {
        algorithms: ['RS256'],
        currentDate: new Date(now()),
        requiredClaims: ['iat', 'exp', 'iss'],
      });
      if (payload.iss !== appId) return 'Integration not found';
      if ((payload.iat ?? 0) > now() / 1000)
        return "'Issued at' claim ('iat') must be an Integer in the past";
      if ((payload.exp ?? 0) > now() / 1000 + statementSecondsMax)
        return "'Expiration time' claim ('exp') is too far in the future";
      return undefined;
    } catch {
      return 'A JSON web token could not be decoded';
    }
  };

  /** By its own clock. */
  const respond = async (call: ServiceCall): Promise<ServiceReply> => ({
    ...(await grantOf(call)),
    headers: { date: new Date(now()).toUTCString() },
  });

  const grantOf = async ({ method, path, headers, body }: ServiceCall): Promise<ServiceReply> => {
    const fault = await faultOf(headers.authorization ?? '');
    if (fault !== undefined) return { status: 401, body: { message: fault } };
    if (headers['user-agent'] === undefined) return { status: 403, body: { message: 'Forbidden' } };
    if (method !== 'POST' || path !== `/app/installations/${installationId}/access_tokens`)
      return { status: 404, body: { message: 'Not Found', documentation_url: 'https://docs.example.com' } };
    const token = `ghs_${randomBytes(18).toString('hex')}`;
    const endsAtMs = now() + lifetimeMs;
    grants.set(token, { asked: body, endsAtMs });
    // GitHub gives whole seconds.
    const expires = new Date(endsAtMs).toISOString().replace(/\.\d+Z$/, 'Z');
    const { permissions, repositories } = (body ?? {}) as { permissions?: object; repositories?: string[] };
    return {
      status: 201,
      body: {
        token,
        expires_at: expires,
        permissions: {
          ...(permissions ?? { contents: 'write' }),
          metadata: 'read',
          ...options.gives?.permissions,
        },
        repository_selection: options.gives?.selection ?? (repositories === undefined ? 'all' : 'selected'),
      },
    };
  };

  const service = await openService(respond);
  return {
    ...service,
    get tokens() {
      return [...grants.keys()];
    },
    grant: (token) => {
      const known = grants.get(token);
      return known !== undefined && known.endsAtMs > now() ? known.asked : undefined;
    },
  };
}
