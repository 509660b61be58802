// Kinds whose secret can be one of each session: a lease of a Vault that is the session's own.

import { z } from 'zod';
import { ProxyError } from '../../../protocol/error.ts';
import type { CredentialSourceConfig } from '../sources/source-config.ts';

/** What the configuration may say of such a kind. */
export const perSessionShape = {
  perSession: z
    .boolean({ error: 'write true or false' })
    .optional()
    .describe(
      'For kinds login and sigv4, from Vault: each session has a lease of its own, which is given back when the session ends.',
    ),
};

export interface PerSessionSettings {
  readonly perSession?: true;
}

export function perSessionSettings(perSession: boolean | undefined): PerSessionSettings {
  return perSession === true ? { perSession } : {};
}

export function isPerSession(config: object): boolean {
  return 'perSession' in config && config.perSession === true;
}

/** That its sources are fields of one secret of Vault. @throws ProxyError config_invalid */
export function requireOneLease(
  name: string,
  config: PerSessionSettings,
  sources: readonly (CredentialSourceConfig | undefined)[],
): void {
  if (config.perSession !== true) return;
  const secrets = sources.flatMap((source) => {
    if (source === undefined) return [];
    if (!('vault' in source)) return ['none'];
    const { field: _, refreshSeconds: _refresh, ...secret } = source.vault;
    return [JSON.stringify(secret)];
  });
  if (new Set(secrets).size === 1 && secrets[0] !== 'none') return;
  throw new ProxyError(
    'config_invalid',
    `credential ${name}: with "perSession" all of it comes from one path of one Vault, whose lease each session has; write the same source: { vault: … } with other fields, or remove perSession`,
  );
}
