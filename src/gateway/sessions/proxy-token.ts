// Proxy tokens: JWTs that a client without an agent shows with each connection. They start no session of an agent, and no token of an agent
// is one of them: type and audience differ.

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { networkList } from '../admission/networks.ts';
import type { SigningKey } from './signing-key.ts';
import { ownIssuer, type VerifiedToken, verifySessionToken } from './session-token.ts';

/** `typ` of our proxy tokens (RFC 8725 §3.11). */
export const proxyTokenType = 'upstreamproxy-proxy+jwt';

/** The claim with the networks that it may come from. */
export const networksClaim = 'networks';

/** The audience of proxy tokens, where that is the one of session tokens. */
export function proxyAudience(audience: string): string {
  return `${audience}/proxy`;
}

export interface ProxyToken extends VerifiedToken {
  /** Whether it may come from there. */
  readonly isFrom: (address: string) => boolean;
}

/** Throws ProxyError `token_malformed`, `token_invalid` or `token_expired`; no message holds any part of the token. */
export async function verifyProxyToken(
  token: string,
  options: {
    readonly key: SigningKey;
    readonly issuer: string;
    readonly audience: string;
    readonly nowMs: number;
  },
): Promise<ProxyToken> {
  const { key, issuer, audience, nowMs } = options;
  const verified = await verifySessionToken(token, {
    trust: [{ ...ownIssuer(key, issuer), typ: proxyTokenType }],
    audience: proxyAudience(audience),
    nowMs,
  });
  return { ...verified, isFrom: placesOf(verified.claims[networksClaim]) };
}

/** Without the claim it may come from anywhere; with one that cannot be read, from nowhere. */
function placesOf(claim: unknown): (address: string) => boolean {
  if (claim === undefined) return () => true;
  const networks = readNetworks(claim);
  return (networks === undefined ? undefined : networkList(networks)) ?? (() => false);
}

function readNetworks(claim: unknown): readonly string[] | undefined {
  if (!Array.isArray(claim) || claim.length === 0 || claim.length > defaultLimits.proxyTokenNetworksMax)
    return undefined;
  const texts = claim.filter((one) => typeof one === 'string');
  return texts.length === claim.length ? texts : undefined;
}

/** The networks as the claim has them. @throws ProxyError usage */
export function networksOf(texts: readonly string[]): readonly string[] {
  const networks = texts.flatMap((text) => text.split(',')).map((text) => text.trim());
  if (networks.length > defaultLimits.proxyTokenNetworksMax)
    throw new ProxyError(
      'usage',
      `a token names at most ${defaultLimits.proxyTokenNetworksMax} networks (proxyTokenNetworksMax)`,
    );
  for (const network of networks)
    if (networkList([network]) === undefined)
      throw new ProxyError(
        'usage',
        `"${network}" is not a network; write an IP address, or one with the length of a prefix, such as 10.0.0.0/8`,
      );
  return networks;
}
