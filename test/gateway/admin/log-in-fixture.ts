// The admin API with log-in at an identity provider: a real one from npm, or one by hand that sends what a test wants.

import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Provider } from 'oidc-provider';
import { openLogIn } from '../../../src/gateway/admin/open-log-in.ts';
import { callbackPath } from '../../../src/gateway/admin/browser-log-in.ts';
import { logInPath } from '../../../src/api/admin/log-in-path.ts';
import type { GroupRole, OidcSettings } from '../../../src/gateway/config/oidc-settings.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openTestServices } from '../support/service-fetch.ts';
import { type AdminScene, openAdminScene } from './admin-fixture.ts';
import { type Page, TestBrowser } from './log-in-browser.ts';

export const clientId = 'upstreamproxy';
export const clientSecret = 'a secret of +/&: the client';
const authority = createTestAuthority();
export const adminHost = 'admin.example.com';

export const roles: readonly GroupRole[] = [
  { group: 'platform', role: 'administrator' },
  { group: 'team-red', role: 'approver', sees: { team: 'red' } },
  { group: 'everybody', role: 'viewer' },
];

/** Who logs in at the provider, and what it says of them. */
export interface TestPerson {
  readonly sub: string;
  readonly name?: string;
  readonly email?: string;
  readonly groups?: readonly string[];
}

export interface LogInScene extends AsyncDisposable {
  readonly admin: AdminScene;
  readonly issuer: string;
  /** Of the console. */
  readonly origin: string;
  browser(): TestBrowser;
  /** Goes to where the provider sends back to, and not further. */
  begin(browser: TestBrowser, to?: string): Promise<Page & { readonly url: string }>;
  /** All the way to a session. */
  logIn(browser: TestBrowser, to?: string): Promise<Page>;
}

/** What a browser sends with an address that somebody typed, or a link of the same origin. */
export const typed = { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' };

export interface LogInSceneOptions {
  /** Responds as the provider, at that issuer. */
  readonly provider: (issuer: string, origin: string) => RequestListener;
  readonly settings?: Partial<OidcSettings>;
}

export async function openLogInScene({ provider, settings = {} }: LogInSceneOptions): Promise<LogInScene> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const server = createServer({ ...authority.issue('localhost') });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => {
    server.close();
    server.closeAllConnections();
  });
  const issuer = `https://localhost:${(server.address() as AddressInfo).port}`;
  const tls = { certificate: join(path, 'cert.pem'), key: join(path, 'key.pem') };
  const { cert, key } = authority.issue(adminHost);
  await writeFile(tls.certificate, cert);
  await writeFile(tls.key, key);
  const { fetch } = stack.use(openTestServices([authority.caPem]));
  const signer = createSigningKey();
  const listen = { address: '127.0.0.1', port: 0, names: [adminHost], tls };
  const admin = await openAdminScene(
    new Map(),
    listen,
    undefined,
    undefined,
    ({ store, audit, clock, onLimit }) =>
      openLogIn(
        {
          issuer,
          clientId,
          clientSecret: { env: 'CLIENT_SECRET' },
          scopes: ['openid', 'profile', 'email', 'groups'],
          groupsClaim: 'groups',
          roles,
          ca: [],
          ...settings,
        },
        {
          operators: store.operators,
          environment: { CLIENT_SECRET: clientSecret },
          fetch,
          signer,
          limits: defaultLimits,
          clock,
          audit,
          onLimit,
        },
      ),
  );
  stack.use(admin);
  const origin = `https://${adminHost}:${admin.port}`;
  server.on('request', provider(issuer, origin));
  const callback = `${origin}${callbackPath}`;
  const begin: LogInScene['begin'] = (browser, to = '/') =>
    browser.follow(`${origin}${logInPath}?${new URLSearchParams({ to })}`, callback, typed);
  const owned = stack.move();
  return {
    admin,
    issuer,
    origin,
    browser: () => new TestBrowser(authority.caPem),
    begin,
    logIn: async (browser, to) => {
      const { url } = await begin(browser, to);
      return await browser.get(url, {
        headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
      });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The provider of npm, at which that person logs in without being asked. */
export function npmProvider(
  person: () => TestPerson,
  configuration: Readonly<Record<string, unknown>> = {},
): LogInSceneOptions['provider'] {
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
