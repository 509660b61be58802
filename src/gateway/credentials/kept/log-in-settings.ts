// What the configuration says of an authorization server at which an operator logs in for a credential.

import type { CredentialSourceConfig } from '../sources/source-config.ts';

export interface LogInSettings {
  /** Its metadata have the rest (RFC 8414, OpenID Connect Discovery). */
  readonly issuer?: string;
  readonly tokenUrl?: string;
  readonly authorizationUrl?: string;
  readonly deviceUrl?: string;
  readonly revocationUrl?: string;
  readonly clientId: string;
  /** Absent: a public client. */
  readonly source?: CredentialSourceConfig | undefined;
  /** How the client says who it is; what the metadata name, or basic, if absent. */
  readonly clientAuth?: 'basic' | 'post';
  readonly scopes: readonly string[];
  readonly audience?: string;
  /** RFC 8707. */
  readonly resource?: string;
  /** Paths of PEM files. */
  readonly ca: readonly string[];
  /** RFC 9449. */
  readonly dpop: boolean;
}
