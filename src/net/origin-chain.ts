// The chain that a verified certificate rests on, found once more by ourselves, because the runtime verifies one and does not
// tell which: its name constraints are looked at, where the runtime misses some.

import { certificateBlocks } from '../pki/certificate-blocks.ts';
import { X509Certificate } from 'node:crypto';
import { ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { constraintViolation } from '../pki/name-constraints.ts';

/** Extended key usages that let an authority certify servers; without the extension all are let. */
const serverUsages: ReadonlySet<string> = new Set(['1.3.6.1.5.5.7.3.1', '2.5.29.37.0']);

/** What is trusted, ready to be searched. */
export type TrustAnchors = readonly X509Certificate[];

/** @param trust PEM, one certificate or several in each */
export function trustAnchors(trust: readonly string[]): TrustAnchors {
  const blocks = trust.flatMap((pem) => certificateBlocks(pem));
  return blocks.flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      // What the runtime could not read it trusts nobody by.
      return [];
    }
  });
}

/**
 * Whether some chain from the certificate to what is trusted keeps all name constraints in it. TLS has verified it before:
 * dates, usages and lengths are the runtime's; here they only keep out chains that it would not have taken.
 * Returns `origin_untrusted` or undefined. @param certificate of the origin, by which the runtime gives all that it sent
 */
export function checkOriginChain(
  host: string,
  certificate: X509Certificate | undefined,
  anchors: TrustAnchors,
  nowMs: number,
): ProxyError | undefined {
  const [leaf, ...others] = sentWith(certificate);
  const search: Search = {
    others,
    anchors,
    nowMs,
    signaturesLeft: defaultLimits.originChainSignaturesMax,
    violation: undefined,
  };
  if (leaf !== undefined && findChain([leaf], search)) return undefined;
  return new ProxyError('origin_untrusted', `The certificate of ${host} does not verify.`, {
    cause: new Error(search.violation ?? 'no chain leads to a certificate that is trusted'),
    ...(search.violation === undefined ? {} : { next: constrainedNext }),
  });
}

const constrainedNext =
  'An authority of its chain must not certify this name (name constraints), so the owner of the origin needs a certificate of another one.';

interface Search {
  readonly others: readonly X509Certificate[];
  readonly anchors: TrustAnchors;
  readonly nowMs: number;
  signaturesLeft: number;
  /** Of the first chain that was found. */
  violation: string | undefined;
}

function findChain(chain: readonly X509Certificate[], search: Search): boolean {
  const last = chain.at(-1);
  if (last === undefined || chain.length >= defaultLimits.originChainDepthMax) return false;
  if (search.anchors.some((anchor) => anchor.raw.equals(last.raw)) && isKept(chain, search)) return true;
  for (const anchor of search.anchors)
    if (isIssuer(anchor, last, search) && isKept([...chain, anchor], search)) return true;
  for (const other of search.others) {
    if (chain.includes(other) || !mayCertify(other, search.nowMs)) continue;
    if (isIssuer(other, last, search) && findChain([...chain, other], search)) return true;
  }
  return false;
}

function isKept(chain: readonly X509Certificate[], search: Search): boolean {
  const violation = constraintViolation(chain.map(({ raw }) => raw));
  search.violation ??= violation;
  return violation === undefined;
}

function isIssuer(issuer: X509Certificate, issued: X509Certificate, search: Search): boolean {
  if (!issued.checkIssued(issuer) || search.signaturesLeft <= 0) return false;
  search.signaturesLeft -= 1;
  return issued.verify(issuer.publicKey);
}

function mayCertify(certificate: X509Certificate, nowMs: number): boolean {
  const { ca, validFromDate, validToDate } = certificate;
  if (!ca || validFromDate.getTime() > nowMs || validToDate.getTime() < nowMs) return false;
  // The runtime calls the extended ones so; its types know them always, and they are absent without the extension.
  const usages = certificate.keyUsage as readonly string[] | undefined;
  return usages === undefined || usages.some((usage) => serverUsages.has(usage));
}

/** In the order in which they were sent, the leaf first: the runtime calls the next one the issuer, whatever it is. */
function sentWith(leaf: X509Certificate | undefined): readonly X509Certificate[] {
  const sent: X509Certificate[] = [];
  for (
    let next = leaf;
    next !== undefined && sent.length < defaultLimits.originChainCertificatesMax;
    next = next.issuerCertificate
  )
    sent.push(next);
  return sent;
}
