// An identity provider for log-in: `oidc-provider` of npm, behind TLS on this machine.

import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { callbackPath } from '../../src/gateway/admin/browser-log-in.ts';
import { Provider } from './oidc-provider.ts';
import type { TestAuthority } from './test-authority.ts';

export const clientId = 'upstreamproxy';
export const clientSecret = 'a secret of +/&: the client';

/** Who logs in at the provider, and what it says of them. */
export interface TestPerson {
  readonly sub: string;
  readonly name?: string;
  readonly email?: string;
  readonly groups?: readonly string[];
}

/** Responds as the provider, at that issuer, for the console at that origin. */
export type ProviderOf = (issuer: string, origin: string) => RequestListener;

export interface ProviderServer extends AsyncDisposable {
  readonly issuer: string;
  serve(provider: RequestListener): void;
}

/** A port for a provider by that name, which is of 127.0.0.1. */
export async function openProviderServer(authority: TestAuthority, host: string): Promise<ProviderServer> {
  const server = createServer({ ...authority.issue(host) });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // A server that listens on TCP has a port.
    issuer: `https://${host}:${(server.address() as AddressInfo).port}`,
    serve: (provider) => void server.on('request', provider),
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await Promise.resolve();
    },
  };
}

/** The provider of npm, at which that person logs in without being asked. */
export function npmProvider(
  person: () => TestPerson,
  configuration: Readonly<Record<string, unknown>> = {},
): ProviderOf {
  return (issuer, origin) => {
    const provider = new Provider(issuer, {
      clients: [
        {
          client_id: clientId,
          client_secret: clientSecret,
          redirect_uris: [`${origin}${callbackPath}`],
          post_logout_redirect_uris: [`${origin}/`],
        },
      ],
      scopes: ['openid', 'profile', 'email', 'groups'],
      claims: { openid: ['sub'], profile: ['name'], email: ['email'], groups: ['groups'] },
      conformIdTokenClaims: false,
      findAccount: (_context: unknown, id: string) => ({ accountId: id, claims: () => person() }),
      interactions: { url: (_context: unknown, { uid }: { readonly uid: string }) => `/interaction/${uid}` },
      loadExistingGrant: async () => {
        const grant = new provider.Grant({ clientId, accountId: person().sub });
        grant.addOIDCScope('openid profile email groups');
        await grant.save();
        return grant;
      },
      features: { devInteractions: { enabled: false } },
      pkce: { required: () => true },
      cookies: { keys: ['of-a-test'] },
      ...configuration,
    });
    const respond = provider.callback();
    return (request, response) => {
      if (request.url?.startsWith('/interaction/') === true)
        void provider.interactionFinished(request, response, { login: { accountId: person().sub } });
      else respond(request, response);
    };
  };
}
