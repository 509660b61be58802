// Where a secret is, from the checked document: paths made absolute.

import type {
  CredentialSourceConfig,
  PlainSourceConfig,
  VaultAuthConfig,
  VaultServerConfig,
  VaultSourceConfig,
} from './source-config.ts';
import type { PlainSourceDocument, SourceDocument } from './source-schema.ts';

type Absolute = (path: string) => string;

/** Exactly one of them is there; the schema has seen to it. */
export function sourceSettings(source: SourceDocument, absolute: Absolute): CredentialSourceConfig {
  if (source.vault === undefined) return plainSourceSettings(source, absolute);
  return { vault: vaultSettings(source.vault, absolute) };
}

/** Exactly one of the three is there; the schema has seen to it. */
export function plainSourceSettings(source: PlainSourceDocument, absolute: Absolute): PlainSourceConfig {
  if (source.env !== undefined) return { env: source.env };
  if (source.file !== undefined) return { file: absolute(source.file) };
  return { command: source.command ?? [] };
}

function vaultSettings(
  { path, field, refreshSeconds, ...server }: NonNullable<SourceDocument['vault']>,
  absolute: Absolute,
): VaultSourceConfig {
  return {
    ...vaultServerSettings(server, absolute),
    path,
    field,
    ...(refreshSeconds === undefined ? {} : { refreshSeconds }),
  };
}

export function vaultServerSettings(
  {
    address,
    auth,
    namespace,
    ca,
  }: Pick<NonNullable<SourceDocument['vault']>, 'address' | 'auth' | 'namespace' | 'ca'>,
  absolute: Absolute,
): VaultServerConfig {
  return {
    address,
    auth: vaultAuth(auth, absolute),
    ...(namespace === undefined ? {} : { namespace }),
    ...(ca === undefined ? {} : { ca: absolute(ca) }),
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
