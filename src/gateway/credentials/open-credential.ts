// A credential of the configuration, opened: how it gets its secret, and what it does to a request.

import type { RequestHead } from '../../http/message-head.ts';
import type { BodyFacts } from './request/body-rewrite.ts';
import { placeholderText } from './credential-config.ts';
import type { CredentialConfig, HeadKindConfig } from './credential-config.ts';
import { createInjector } from './credential-injector.ts';
import type { PlaceholderOptions } from './credential-injector.ts';
import type { Injected } from './request/injected.ts';
import type { CredentialSource } from './sources/credential-source.ts';
import type { CredentialSourceConfig } from './sources/source-config.ts';
import { GithubAppTokens } from './sources/github-app-tokens.ts';
import { OAuthTokens } from './sources/oauth-tokens.ts';
import { openSource } from './open-source.ts';
import type { CredentialContext } from './open-source.ts';
import { Sigv4Injector } from './sigv4/sigv4-injector.ts';
import { AwsKeySet } from './sigv4/aws-keys.ts';

export interface Credential {
  /** Whether the request is one that gets it; no source is asked for those that are not. */
  applies(head: RequestHead, body: BodyFacts | undefined): boolean;
  /** `body` is undefined if the request has none. @throws ProxyError credential_unavailable */
  apply(head: RequestHead, nowMs: number, body: BodyFacts | undefined): Promise<Injected>;
}

/** @throws ProxyError config_invalid if a source cannot be opened */
export function openCredential(
  name: string,
  config: CredentialConfig,
  context: CredentialContext,
): Credential {
  if (config.kind === 'mtls') return clientCertificate(name, config, context);
  if (config.kind === 'oauth') return injecting({ kind: 'bearer' }, accessTokens(name, config, context));
  if (config.kind === 'sigv4') return awsSignature(name, config, context);
  if (config.kind === 'github-app')
    return injecting(
      config.as === 'basic' ? { kind: 'basic', username: 'x-access-token' } : { kind: 'bearer' },
      installationTokens(name, config, context),
    );
  const source = openSource(name, config.source, context);
  const text = placeholderText(name, config);
  return injecting(config, source, {
    ...(text === undefined ? {} : { text }),
    ...(config.placeholder?.body === true ? { held: context.held } : {}),
  });
}

function injecting(
  config: HeadKindConfig,
  source: CredentialSource,
  placeholder: PlaceholderOptions = {},
): Credential {
  const injector = createInjector(config, placeholder);
  return {
    applies: (head, body) => injector.applies?.(head, body) ?? true,
    apply: async (head, nowMs, body) => {
      const secret = await source.read(nowMs);
      const injected = await injector.inject(head, secret, body);
      return { ...injected, onRejected: (rejectedMs) => source.reject?.(secret, rejectedMs) };
    },
  };
}

function accessTokens(
  name: string,
  { tokenUrl, clientId, scope, refreshToken, source }: CredentialConfig & { readonly kind: 'oauth' },
  context: CredentialContext,
): CredentialSource {
  return new OAuthTokens({
    name,
    tokenUrl,
    clientId,
    fetch: context.fetch,
    background: context.background,
    clientSecret: openSource(name, source, context),
    ...(scope === undefined ? {} : { scope }),
    ...(refreshToken === undefined ? {} : { refreshToken: openSource(name, refreshToken, context) }),
  });
}

function installationTokens(
  name: string,
  { source, ...config }: CredentialConfig & { readonly kind: 'github-app' },
  context: CredentialContext,
): CredentialSource {
  const { appId, installationId, apiUrl, permissions, repositories } = config;
  return new GithubAppTokens({
    name,
    appId,
    installationId,
    apiUrl,
    fetch: context.fetch,
    background: context.background,
    privateKey: openSource(name, source, context, 'pem'),
    ...(permissions === undefined ? {} : { permissions }),
    ...(repositories === undefined ? {} : { repositories }),
  });
}

/** The key never travels, so there is nothing to search answers for. */
function clientCertificate(
  name: string,
  config: CredentialConfig & { readonly kind: 'mtls' },
  context: CredentialContext,
): Credential {
  const key = openSource(name, config.source, context, 'pem');
  const certificate = openSource(name, { file: config.certificate }, context, 'pem');
  return {
    applies: () => true,
    apply: async (head, nowMs) => ({
      head,
      values: [],
      tls: { cert: (await certificate.read(nowMs)).reveal(), key: (await key.read(nowMs)).reveal() },
    }),
  };
}

/** The secret access key never travels; a session token does, and is what answers are searched for. */
function awsSignature(
  name: string,
  config: CredentialConfig & { readonly kind: 'sigv4' },
  context: CredentialContext,
): Credential {
  const { region, service, copies = false } = config;
  const open = (source: CredentialSourceConfig): CredentialSource => openSource(name, source, context);
  const keys = new AwsKeySet(name, {
    keyId: open(config.accessKeyId),
    secret: open(config.source),
    token: config.sessionToken === undefined ? undefined : open(config.sessionToken),
  });
  const injector = new Sigv4Injector({ name, region, service, copies }, context.held);
  return {
    applies: () => true,
    apply: async (head, nowMs, body) => injector.inject(head, await keys.read(nowMs), { nowMs, body }),
  };
}
