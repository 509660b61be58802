// The exchange of identity tokens for tokens that publish, as clients of npm, PyPI and crates.io have it in their source.
// Deviations: one publisher and one package; PyPI's token is no macaroon.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';

import { openService } from './service.ts';
import type { ServiceCall, ServiceReply, TestService } from './service.ts';

export type PublishRegistryKind = 'npm' | 'pypi' | 'crates';

export interface PublishRegistry extends TestService {
  /** An identity token of a job, for the registry's audience unless told otherwise. */
  identity(audience?: string): Promise<string>;
  readonly tokens: readonly string[];
  boundTo(token: string): string | undefined;
}

const key = generateKeyPairSync('rsa', { modulusLength: 2048 });
const audiences = { npm: 'npm:registry.example.com', pypi: 'pypi', crates: 'crates.io' } as const;

export async function openPublishRegistry(kind: PublishRegistryKind, name: string): Promise<PublishRegistry> {
  const grants = new Map<string, string>();
  const isTrusted = async (token: string): Promise<boolean> =>
    jwtVerify(token, key.publicKey, { audience: audiences[kind], algorithms: ['RS256'] }).then(
      () => true,
      () => false,
    );
  const give = (prefix: string): string => {
    const token = `${prefix}${randomBytes(24).toString('base64url')}`;
    grants.set(token, name);
    return token;
  };
  const respond = async ({ method, path, headers, body }: ServiceCall): Promise<ServiceReply> => {
    if (method !== 'POST') return { status: kind === 'crates' ? 404 : 405 };
    if (kind === 'npm') {
      if (path !== `/-/npm/v1/oidc/token/exchange/package/${name.replace('/', '%2f')}`)
        return { status: 404, body: { message: 'OIDC token exchange error - package not found' } };
      if (!(await isTrusted((headers.authorization ?? '').replace('Bearer ', ''))))
        return { status: 401, body: { message: 'OIDC token exchange error' } };
      return { status: 201, body: { token_type: 'oidc', token: give('npm_') } };
    }
    if (kind === 'pypi') {
      if (path !== '/_/oidc/mint-token') return { status: 404 };
      if (!(await isTrusted((body as { token: string }).token)))
        return {
          status: 422,
          body: {
            message: 'Token request failed',
            errors: [{ code: 'invalid-publisher', description: 'more' }],
          },
        };
      const expires = Math.floor(Date.now() / 1000) + 900;
      return { status: 200, body: { success: true, token: give('pypi-'), expires } };
    }
    if (path !== '/api/v1/trusted_publishing/tokens') return { status: 404 };
    if (!(await isTrusted((body as { jwt: string }).jwt)))
      return { status: 400, body: { errors: [{ detail: 'Failed to verify JWT' }] } };
    return { status: 200, body: { token: give('cio_tp_') } };
  };
  const service = await openService(respond);
  return {
    url: service.url,
    calls: service.calls,
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
    identity: (audience = audiences[kind]) =>
      new SignJWT({ repository: 'owner/one' })
        .setProtectedHeader({ alg: 'RS256' })
        .setIssuer('https://issuer.example.com')
        .setAudience(audience)
        .setExpirationTime('5m')
        .sign(key.privateKey),
    get tokens() {
      return [...grants.keys()];
    },
    boundTo: (token) => grants.get(token),
  };
}
