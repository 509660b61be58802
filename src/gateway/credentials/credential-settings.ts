// A credential of the configuration, from its checked document: defaults filled in and paths made absolute.

import type { CredentialConfig, PlaceholderConfig } from './credential-config.ts';
import type { CredentialDocument } from './credential-schema.ts';
import type { CredentialSourceConfig, PlainSourceConfig } from './sources/source-config.ts';
import type { PlainSourceDocument, SourceDocument } from './source-schema.ts';
import type { VaultAuthConfig, VaultSourceConfig } from './sources/source-config.ts';

const githubApiUrl = 'https://api.github.com';

type Absolute = (path: string) => string;

export function credentialSettings(
  {
    kind,
    username = '',
    header = '',
    prefix,
    parameter = '',
    certificate = '',
    tokenUrl = '',
    clientId = '',
    scope,
    refreshToken,
    scrub,
    strip,
    source,
    placeholder,
    ...rest
  }: CredentialDocument,
  absolute: Absolute,
): CredentialConfig {
  const common = {
    source: sourceSettings(source, absolute),
    ...(placeholder === undefined ? {} : { placeholder: placeholderSettings(placeholder) }),
    ...(scrub === undefined ? {} : { scrub }),
    ...(strip === undefined ? {} : { strip: stripSettings(strip) }),
  };
  switch (kind) {
    case 'bearer':
      return { kind, ...common };
    case 'basic':
      return { kind, username, ...common };
    case 'header':
      return { kind, header, ...(prefix === undefined ? {} : { prefix }), ...common };
    case 'query':
      return { kind, parameter, ...common };
    case 'placeholder':
      return { kind, ...common };
    case 'mtls':
      return { kind, certificate: absolute(certificate), ...common };
    case 'oauth':
      return {
        kind,
        tokenUrl,
        clientId,
        ...(scope === undefined ? {} : { scope }),
        ...(refreshToken === undefined ? {} : { refreshToken: sourceSettings(refreshToken, absolute) }),
        ...common,
      };
    case 'github-app':
      return { ...githubApp(rest), ...common };
    case 'sigv4':
      return { ...awsKeys(rest, absolute), ...common };
  }
}

function awsKeys(
  {
    accessKeyId = {},
    sessionToken,
    region,
    service,
    copies,
  }: Pick<CredentialDocument, 'accessKeyId' | 'sessionToken' | 'region' | 'service' | 'copies'>,
  absolute: Absolute,
): Omit<CredentialConfig & { readonly kind: 'sigv4' }, 'source'> {
  return {
    kind: 'sigv4',
    accessKeyId: sourceSettings(accessKeyId, absolute),
    ...(sessionToken === undefined ? {} : { sessionToken: sourceSettings(sessionToken, absolute) }),
    ...(region === undefined ? {} : { region }),
    ...(service === undefined ? {} : { service }),
    ...(copies === undefined ? {} : { copies }),
  };
}

function githubApp({
  appId = '',
  installationId = '',
  apiUrl = githubApiUrl,
  as = 'bearer',
  permissions,
  repositories,
}: Pick<
  CredentialDocument,
  'appId' | 'installationId' | 'apiUrl' | 'as' | 'permissions' | 'repositories'
>): Omit<CredentialConfig & { readonly kind: 'github-app' }, 'source'> {
  return {
    kind: 'github-app',
    appId,
    installationId,
    apiUrl,
    as,
    ...(permissions === undefined ? {} : { permissions }),
    ...(repositories === undefined ? {} : { repositories }),
  };
}

function stripSettings({
  headers,
  parameters,
}: NonNullable<CredentialDocument['strip']>): NonNullable<CredentialConfig['strip']> {
  return {
    ...(headers === undefined ? {} : { headers }),
    ...(parameters === undefined ? {} : { parameters }),
  };
}

function placeholderSettings({
  env,
  value,
  body,
}: NonNullable<CredentialDocument['placeholder']>): PlaceholderConfig {
  return {
    env,
    ...(value === undefined ? {} : { value }),
    ...(body === undefined ? {} : { body }),
  };
}

/** Exactly one of them is there; `checkCredentials` has seen to it. */
function sourceSettings(source: SourceDocument, absolute: Absolute): CredentialSourceConfig {
  if (source.vault === undefined) return plainSourceSettings(source, absolute);
  return { vault: vaultSettings(source.vault, absolute) };
}

/** Exactly one of the three is there; the check of the document has seen to it. */
export function plainSourceSettings(source: PlainSourceDocument, absolute: Absolute): PlainSourceConfig {
  if (source.env !== undefined) return { env: source.env };
  if (source.file !== undefined) return { file: absolute(source.file) };
  return { command: source.command ?? [] };
}

function vaultSettings(
  { address, path, field, auth, namespace, ca, refreshSeconds }: NonNullable<SourceDocument['vault']>,
  absolute: Absolute,
): VaultSourceConfig {
  return {
    address,
    path,
    field,
    auth: vaultAuth(auth, absolute),
    ...(namespace === undefined ? {} : { namespace }),
    ...(ca === undefined ? {} : { ca: absolute(ca) }),
    ...(refreshSeconds === undefined ? {} : { refreshSeconds }),
  };
}

function vaultAuth(
  { tokenSource, kubernetes, approle }: NonNullable<SourceDocument['vault']>['auth'],
  absolute: Absolute,
): VaultAuthConfig {
  if (kubernetes !== undefined) {
    const { role, jwtFile, mount } = kubernetes;
    return {
      kubernetes: { role, jwtFile: absolute(jwtFile), ...(mount === undefined ? {} : { mount }) },
    };
  }
  if (approle !== undefined) {
    const { roleId, secretIdSource, mount } = approle;
    return {
      approle: {
        roleId,
        secretIdSource: plainSourceSettings(secretIdSource, absolute),
        ...(mount === undefined ? {} : { mount }),
      },
    };
  }
  return { tokenSource: plainSourceSettings(tokenSource ?? {}, absolute) };
}
