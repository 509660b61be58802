// What the configuration says about one credential, by kind.

import type { CredentialSourceConfig } from './sources/source-config.ts';

/** Kinds that put the secret of their source into the head. */
export type HeadKindConfig =
  | { readonly kind: 'bearer' }
  | { readonly kind: 'basic'; readonly username: string }
  | { readonly kind: 'header'; readonly header: string; readonly prefix?: string }
  | { readonly kind: 'query'; readonly parameter: string }
  | { readonly kind: 'placeholder' };

export type CredentialKindConfig =
  | HeadKindConfig
  /** The source has the private key, `certificate` is the file of the chain, both PEM. */
  | { readonly kind: 'mtls'; readonly certificate: string }
  /** The source has the client's secret; with a refresh token its grant is used, else client credentials. */
  | {
      readonly kind: 'oauth';
      readonly tokenUrl: string;
      readonly clientId: string;
      readonly scope?: string;
      readonly refreshToken?: CredentialSourceConfig;
    }
  /** The source has the secret access key; region and service are the client's to say where they are not fixed. */
  | {
      readonly kind: 'sigv4';
      readonly accessKeyId: CredentialSourceConfig;
      readonly sessionToken?: CredentialSourceConfig;
      readonly region?: string;
      readonly service?: string;
      /** Whether `x-amz-copy-source` passes, which the rule's paths do not bound. */
      readonly copies?: boolean;
    }
  /** The source has the app's private key, PEM. */
  | {
      readonly kind: 'github-app';
      readonly appId: string;
      readonly installationId: string;
      readonly apiUrl: string;
      /** `basic` is what git over HTTPS needs. */
      readonly as: 'bearer' | 'basic';
      readonly permissions?: Readonly<Record<string, string>>;
      readonly repositories?: readonly string[];
    };

/** What the workload sees in a variable of its environment. */
export interface PlaceholderConfig {
  readonly env: string;
  readonly value?: string;
  /** Kind placeholder: whether bodies are searched too. */
  readonly body?: boolean;
}

/** A credential; the secret itself is only ever behind `source`. File paths are absolute. */
export type CredentialConfig = CredentialKindConfig & {
  readonly source: CredentialSourceConfig;
  readonly placeholder?: PlaceholderConfig;
  /** `decode`: answers may come encoded, at the cost of decoding them here. */
  readonly scrub?: { readonly decode: boolean };
  /** Fields and parameters by which the client could be somebody else; absent: the usual ones. */
  readonly strip?: { readonly headers?: readonly string[]; readonly parameters?: readonly string[] };
};

/** What the workload sees in the credential's place; undefined if it sees nothing. */
export function placeholderText(name: string, { placeholder }: CredentialConfig): string | undefined {
  if (placeholder === undefined) return undefined;
  return placeholder.value ?? `upstreamproxy-placeholder-${name}`;
}

/** The environment variables that the workload gets for it. AWS keys are two, and a program that has one wants both. */
export function placeholderVariables(
  name: string,
  config: CredentialConfig,
): Readonly<Record<string, string>> {
  const text = placeholderText(name, config);
  if (config.placeholder === undefined || text === undefined) return {};
  const { env } = config.placeholder;
  if (config.kind !== 'sigv4') return { [env]: text };
  return { [env]: text, [awsSecretVariable(env)]: text };
}

/** How a variable ends that holds an access key id; the one for the secret begins alike. */
export const awsKeyIdVariable = /ACCESS_KEY_ID$/;

export function awsSecretVariable(keyIdVariable: string): string {
  return keyIdVariable.replace(awsKeyIdVariable, 'SECRET_ACCESS_KEY');
}
