// `packageTrust` of the configuration: whose signatures about packages count.

import { z } from 'zod';
import { pathHint, text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';

export const packageTrustSchema = strictMap(
  {
    sigstore: text(pathHint)
      .optional()
      .describe(
        "Sigstore's trusted_root.json: authorities and logs by which attestations are verified; read at start.",
      ),
    checksumDatabase: text('write NAME+HASH+KEY, as in GOSUMDB')
      .regex(/^[a-z0-9.-]{1,253}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$/, {
        error: 'write the key of the database as NAME+HASH+KEY, as in GOSUMDB',
      })
      .optional()
      .describe(
        'By whose key the checksum database of Go is verified, for rules of Go with integrity; that of sum.golang.org by default.',
      ),
  },
  {
    hint: 'write packageTrust: { sigstore: trusted_root.json }',
    synonyms: {
      trustedRoot: 'sigstore',
      root: 'sigstore',
      file: 'sigstore',
      sumdb: 'checksumDatabase',
      gosumdb: 'checksumDatabase',
    },
  },
);

type PackageTrustDocument = z.infer<typeof packageTrustSchema>;

export interface PackageTrustSettings {
  /** Absolute path of the root of trust. */
  readonly sigstore?: string;
  /** The key of the checksum database, as it is written in GOSUMDB. */
  readonly checksumDatabase?: string;
}

export function packageTrustSettings(
  document: PackageTrustDocument | undefined,
  absolute: (path: string) => string,
): { readonly packageTrust?: PackageTrustSettings } {
  if (document === undefined) return {};
  const { sigstore, checksumDatabase } = document;
  return {
    packageTrust: {
      ...(sigstore === undefined ? {} : { sigstore: absolute(sigstore) }),
      ...(checksumDatabase === undefined ? {} : { checksumDatabase }),
    },
  };
}
