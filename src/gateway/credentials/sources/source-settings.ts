// Where a secret is, from the checked document: paths made absolute.

import type {
  CredentialSourceConfig,
  PlainSourceConfig,
  VaultAuthConfig,
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
