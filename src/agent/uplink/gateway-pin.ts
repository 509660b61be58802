// Pins of the gateway's key: hashes of a SubjectPublicKeyInfo, as RFC 7469 §2.4 writes them.

import { defaultLimits } from '../../protocol/limits.ts';
import { createHash, type KeyObject, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { ProxyError } from '../../protocol/error.ts';

const form = /^sha256\/[A-Za-z0-9+/]{43}=$/;

/** Checks the form of a pin. Throws config_invalid. */
export function checkPin(text: string): string {
  if (form.test(text)) return text;
  throw new ProxyError(
    'config_invalid',
    `the gateway pin "${text}" is not of the form sha256/BASE64 with the hash of a public key`,
  );
}

/** The pin of a certificate's key. */
export function pinOf(certificate: X509Certificate): string {
  return pinOfKey(certificate.publicKey);
}

function pinOfKey(key: KeyObject): string {
  const hash = createHash('sha256').update(key.export({ type: 'spki', format: 'der' }));
  return `sha256/${hash.digest('base64')}`;
}

/**
 * Whether a pinned key is that of the peer, or of an authority above it in the chain that the peer showed. Each step of
 * the chain is verified here: that the peer shows an authority's certificate proves nothing.
 */
export function hasPinnedKey(socket: TLSSocket, pins: ReadonlySet<string>): boolean {
  let shown = socket.getPeerCertificate(true);
  if (shown.raw === undefined) return false;
  let certificate = new X509Certificate(shown.raw);
  for (let depth = 0; depth < defaultLimits.gatewayChainMax; depth++) {
    if (pins.has(pinOf(certificate))) return true;
    const next = shown.issuerCertificate;
    // A self-signed one names itself as its issuer.
    if (next?.raw === undefined || next === shown || next.raw.equals(shown.raw)) return false;
    const issuer = new X509Certificate(next.raw);
    if (!issuer.ca || !certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) return false;
    [shown, certificate] = [next, issuer];
  }
  return false;
}
