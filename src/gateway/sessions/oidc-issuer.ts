// An OIDC issuer as an issuer of session tokens: Kubernetes service accounts, CI providers.

import type { ClaimSelector } from '../../policy/claim-selector.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { IssuerFetch } from './oidc-fetch.ts';
import { OidcKeySet } from './oidc-key-set.ts';
import type { TokenIssuer } from './session-token.ts';

/** A trusted issuer whose keys are fetched on first use. Throws nothing: an issuer that is down refuses its own tokens only. */
export function oidcIssuer(options: {
  readonly issuer: string;
  /** Where its tokens name another audience than the gateway's. */
  readonly audience?: string;
  readonly jwksUrl?: string;
  /** Claims without which its tokens start no session. */
  readonly for?: ClaimSelector;
  /** Asymmetric JWS algorithms. */
  readonly algorithms: readonly string[];
  readonly fetch: IssuerFetch;
  readonly limits?: Limits;
}): TokenIssuer {
  const { issuer, audience, algorithms, for: selector } = options;
  const keys = new OidcKeySet(options);
  return {
    issuer,
    typ: undefined,
    algorithms: algorithms.filter(isAsymmetric),
    ...(audience === undefined ? {} : { audience }),
    ...(selector === undefined ? {} : { selector }),
    resolveKey: (header, nowMs) => keys.key(header, nowMs),
  };
}

/** RFC 8725 §3.1: a public key must never be taken for the secret of an HMAC. */
function isAsymmetric(algorithm: string): boolean {
  return /^(?:EdDSA|Ed25519|(?:ES|PS|RS)(?:256|384|512))$/.test(algorithm);
}
