// The admin API with log-in at an identity provider: a real one from npm, or one by hand that sends what a test wants.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openLogIn } from '../../../src/gateway/admin/open-log-in.ts';
import { callbackPath } from '../../../src/gateway/admin/browser-log-in.ts';
import { logInPath } from '../../../src/api/admin/log-in-path.ts';
import type { GroupRole, OidcSettings } from '../../../src/gateway/config/oidc-settings.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import {
  clientId,
  clientSecret,
  openProviderServer,
  type ProviderOf,
} from '../../support/identity-provider.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openTestServices } from '../support/service-fetch.ts';
import { type AdminScene, openAdminScene } from './admin-fixture.ts';
import { type Page, TestBrowser } from '../../support/log-in-browser.ts';

const authority = createTestAuthority();
export const adminHost = 'admin.example.com';

export const roles: readonly GroupRole[] = [
  { group: 'platform', role: 'administrator' },
  { group: 'team-red', role: 'approver', sees: { team: 'red' } },
  { group: 'everybody', role: 'viewer' },
];

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
  readonly provider: ProviderOf;
  readonly settings?: Partial<OidcSettings>;
}

export async function openLogInScene({ provider, settings = {} }: LogInSceneOptions): Promise<LogInScene> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const server = stack.use(await openProviderServer(authority, 'localhost'));
  const { issuer } = server;
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
  server.serve(provider(issuer, origin));
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
