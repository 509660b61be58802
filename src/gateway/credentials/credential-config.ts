// What the configuration says about one credential, by kind.

import type { CredentialSourceConfig } from './credential-source.ts';

export type CredentialKindConfig =
  | { readonly kind: 'bearer' }
  | { readonly kind: 'basic'; readonly username: string }
  | { readonly kind: 'header'; readonly header: string; readonly prefix?: string }
  | { readonly kind: 'query'; readonly parameter: string }
  | { readonly kind: 'placeholder' };

/** A credential; the secret itself is only ever behind `source`. File paths are absolute. */
export type CredentialConfig = CredentialKindConfig & {
  readonly source: CredentialSourceConfig;
  readonly placeholder?: { readonly env: string; readonly value?: string };
};

/** What the workload sees in the credential's place; undefined if it sees nothing. */
export function placeholderText(name: string, { placeholder }: CredentialConfig): string | undefined {
  if (placeholder === undefined) return undefined;
  return placeholder.value ?? `upstreamproxy-placeholder-${name}`;
}
