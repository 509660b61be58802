// The issuers whose tokens start sessions, beside the gateway itself.

import type { ClaimSelector } from '../../policy/claim-selector.ts';
import { asList } from '../../policy/schema-parts.ts';
import type { GatewayConfigDocument } from './config-schema.ts';

/** An OpenID Connect issuer whose tokens start sessions. */
export interface IssuerSettings {
  readonly issuer: string;
  /** Where it differs from `tokens.audience`. */
  readonly audience?: string;
  /** Found by the issuer's metadata if absent. */
  readonly jwksUrl?: string;
  /** Claims without which a token starts no session. */
  readonly for?: ClaimSelector;
  readonly algorithms: readonly string[];
  /** Files of authorities that it is verified against beside the gateway's roots. */
  readonly ca: readonly string[];
}

export function issuerSettings(
  { issuers = [] }: GatewayConfigDocument,
  options: { readonly absolute: (path: string) => string; readonly algorithms: readonly string[] },
): readonly IssuerSettings[] {
  return issuers.map(({ issuer, audience, jwksUrl, algorithms, for: selector, ca }) => ({
    issuer,
    ...(audience === undefined ? {} : { audience }),
    ...(jwksUrl === undefined ? {} : { jwksUrl }),
    ...(selector === undefined ? {} : { for: selector }),
    algorithms: algorithms === undefined ? options.algorithms : asList(algorithms),
    ca: asList(ca).map(options.absolute),
  }));
}
