// What the configuration says about a secret in HashiCorp Vault or OpenBao.

/** What this machine alone can give. */
export type PlainSourceConfig =
  | { readonly env: string }
  | { readonly file: string }
  | { readonly command: readonly string[] };

export type CredentialSourceConfig = PlainSourceConfig | { readonly vault: VaultSourceConfig };

export type VaultAuthConfig =
  | { readonly tokenSource: PlainSourceConfig }
  | { readonly kubernetes: { readonly role: string; readonly jwtFile: string; readonly mount?: string } }
  | {
      readonly approle: {
        readonly roleId: string;
        readonly secretIdSource: PlainSourceConfig;
        readonly mount?: string;
      };
    };

export interface VaultServerConfig {
  /** https, or http to an address on loopback. */
  readonly address: string;
  readonly auth: VaultAuthConfig;
  readonly namespace?: string;
  /** PEM file that the server is verified against beside the gateway's roots. */
  readonly ca?: string;
}

export interface VaultSourceConfig extends VaultServerConfig {
  /** As in the HTTP API, behind `/v1/`: `secret/data/NAME` for KV version 2. */
  readonly path: string;
  readonly field: string;
  /** How long a value without a lease is used before it is read again. */
  readonly refreshSeconds?: number;
}
