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
  },
  {
    hint: 'write packageTrust: { sigstore: trusted_root.json }',
    synonyms: { trustedRoot: 'sigstore', root: 'sigstore', file: 'sigstore' },
  },
);

type PackageTrustDocument = z.infer<typeof packageTrustSchema>;

export interface PackageTrustSettings {
  /** Absolute path of the root of trust. */
  readonly sigstore?: string;
}

export function packageTrustSettings(
  document: PackageTrustDocument | undefined,
  absolute: (path: string) => string,
): { readonly packageTrust?: PackageTrustSettings } {
  if (document === undefined) return {};
  const { sigstore } = document;
  return { packageTrust: sigstore === undefined ? {} : { sigstore: absolute(sigstore) } };
}
