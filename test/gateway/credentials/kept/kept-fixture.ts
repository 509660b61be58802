// Gateways on one store, and an authorization server that they ask without a connection.

import { KeptSeal } from '../../../../src/gateway/credentials/kept/kept-seal.ts';
import { type KeptTold, KeptTokens } from '../../../../src/gateway/credentials/kept/kept-tokens.ts';
import { keptIdOf, type KeptValue } from '../../../../src/gateway/credentials/kept/kept-value.ts';
import type { LogInSettings } from '../../../../src/gateway/credentials/kept/log-in-settings.ts';
import { LogInTokens } from '../../../../src/gateway/credentials/kept/log-in-tokens.ts';
import { TokenEndpoint } from '../../../../src/gateway/credentials/kept/token-endpoint.ts';
import { BackgroundRenewals } from '../../../../src/gateway/credentials/sources/background-renewals.ts';
import type { ServiceOctetFetch } from '../../../../src/gateway/forward/service-fetch.ts';
import { createSigningKey, type SigningKey } from '../../../../src/gateway/sessions/signing-key.ts';
import type { ProxyError } from '../../../../src/protocol/error.ts';
import { Secret } from '../../../../src/protocol/secret.ts';
import type { KeptTokenStore } from '../../../../src/store/kept-token-store.ts';
import {
  AuthorizationServer,
  type AuthorizationServerOptions,
} from '../../../support/authorization-server.ts';

export const issuer = 'https://login.test';
export const settings: LogInSettings = { issuer, clientId: 'client', scopes: [], ca: [], dpop: false };
export const id = keptIdOf('tracker');

/** Each question costs a turn of the event loop, so that gateways come between each other. */
export function fetchOf(server: AuthorizationServer): ServiceOctetFetch {
  return async (url, { method, headers, body = '' }) => {
    await new Promise((resolve) => setImmediate(resolve));
    const response = await server.handle({ method, url, headers, body: body.toString() });
    return {
      status: response.status,
      text: response.text,
      octets: Buffer.from(response.text),
      retryAfter: undefined,
      contentType: response.headers['content-type'],
      dpopNonce: response.headers['dpop-nonce'],
    };
  };
}

export function serverOf(options: Partial<AuthorizationServerOptions> = {}): AuthorizationServer {
  return new AuthorizationServer({ issuer, ...options });
}

export interface TestGateway {
  readonly tokens: KeptTokens;
  readonly source: LogInTokens;
  readonly told: KeptTold[];
  readonly faults: ProxyError[];
}

export interface GatewayOptions {
  readonly store: KeptTokenStore;
  readonly server: AuthorizationServer;
  readonly signingKey?: SigningKey;
  readonly name?: string;
  readonly fetch?: ServiceOctetFetch;
  readonly settings?: LogInSettings;
  readonly clientSecret?: string;
  readonly pause?: (ms: number) => Promise<void>;
}

export const signingKey = createSigningKey();

/** What log-ins do not need. */
export const signing = {
  readCa: () => Promise.resolve([]),
  issuer: 'https://gateway.test',
  sign: (typ: string, claims: Readonly<Record<string, unknown>>) => signingKey.signJwt(typ, claims),
  clock: Date.now,
} as const;

export function gatewayOf(options: GatewayOptions): TestGateway {
  const { store, server, name = 'a', fetch = fetchOf(server) } = options;
  const told: KeptTold[] = [];
  const faults: ProxyError[] = [];
  const tokens = new KeptTokens({
    store,
    seal: new KeptSeal(store, options.signingKey ?? signingKey),
    holderId: name,
    onFault: (error) => faults.push(error),
    onTold: (one) => told.push(one),
    pause: options.pause ?? (() => new Promise((resolve) => setTimeout(resolve, 1))),
  });
  const endpoint = new TokenEndpoint(fetch);
  const source = new LogInTokens({
    name: 'tracker',
    settings: options.settings ?? settings,
    clientSecret:
      options.clientSecret === undefined
        ? undefined
        : { read: () => Promise.resolve(new Secret(options.clientSecret ?? '')) },
    logIns: { ...signing, tokens, endpoint },
    background: new BackgroundRenewals({ credentialUnusedMs: 0 }),
    random: () => 0,
  });
  return { tokens, source, told, faults };
}

/** As `credential login` leaves it. */
export function valueOf(given: { readonly accessToken: string; readonly refreshToken?: string }): KeptValue {
  const { clientId } = settings;
  const common = {
    tokenUrl: `${issuer}/token`,
    issuer,
    clientId,
    clientAuth: 'none',
    tokenType: 'Bearer',
  } as const;
  return { ...common, ...given };
}
