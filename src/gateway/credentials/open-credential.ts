// A credential of the configuration, opened: how it gets its secret, and what it does to a request.

import type { RequestHead } from '../../http/message-head.ts';
import type { BodyFacts } from './body-rewrite.ts';
import { placeholderText } from './credential-config.ts';
import type { CredentialConfig, HeadKindConfig } from './credential-config.ts';
import { createInjector } from './credential-injector.ts';
import type { Injected } from './credential-injector.ts';
import { openCredentialSource } from './credential-source.ts';
import type { CredentialSource } from './credential-source.ts';
import { OAuthTokens } from './oauth-tokens.ts';
import type { TokenFetch } from './token-fetch.ts';

export interface Credential {
  /** Whether the request is one that gets it; no source is asked for those that are not. */
  applies(head: RequestHead): boolean;
  /** `body` is undefined if the request has none. @throws ProxyError credential_unavailable */
  apply(head: RequestHead, nowMs: number, body: BodyFacts | undefined): Promise<Injected>;
}

/** What sources and issuers are reached with. */
export interface CredentialContext {
  /** The start-up environment, read once. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly fetch: TokenFetch;
}

/** @throws ProxyError config_invalid if a source cannot be opened */
export function openCredential(
  name: string,
  config: CredentialConfig,
  context: CredentialContext,
): Credential {
  if (config.kind === 'mtls') return clientCertificate(name, config, context);
  if (config.kind === 'oauth') return injecting({ kind: 'bearer' }, accessTokens(name, config, context));
  const source = openCredentialSource(name, config.source, context.environment);
  return injecting(config, source, placeholderText(name, config));
}

function injecting(config: HeadKindConfig, source: CredentialSource, placeholder?: string): Credential {
  const injector = createInjector(config, placeholder);
  return {
    applies: (head) => injector.applies?.(head) ?? true,
    apply: async (head, nowMs, body) => injector.inject(head, await source.read(nowMs), body),
  };
}

function accessTokens(
  name: string,
  { tokenUrl, clientId, scope, refreshToken, source }: CredentialConfig & { readonly kind: 'oauth' },
  { environment, fetch }: CredentialContext,
): CredentialSource {
  return new OAuthTokens({
    name,
    tokenUrl,
    clientId,
    fetch,
    clientSecret: openCredentialSource(name, source, environment),
    ...(scope === undefined ? {} : { scope }),
    ...(refreshToken === undefined
      ? {}
      : { refreshToken: openCredentialSource(name, refreshToken, environment) }),
  });
}

/** The key never travels, so there is nothing to search answers for. */
function clientCertificate(
  name: string,
  config: CredentialConfig & { readonly kind: 'mtls' },
  { environment }: CredentialContext,
): Credential {
  const key = openCredentialSource(name, config.source, environment, 'pem');
  const certificate = openCredentialSource(name, { file: config.certificate }, environment, 'pem');
  return {
    applies: () => true,
    apply: async (head, nowMs) => ({
      head,
      values: [],
      tls: { cert: (await certificate.read(nowMs)).reveal(), key: (await key.read(nowMs)).reveal() },
    }),
  };
}
