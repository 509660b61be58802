// Name constraints of an authority (RFC 5280 §4.2.1.10): the names that it may certify, and nothing else.

import { ProxyError } from '../protocol/error.ts';
import { createKey } from './authority-key.ts';
import { extension, keyIdentifier, leafCertificate, publicKeyInfo } from './certificate-profile.ts';
import { der, derSequence } from './der.ts';
import { constraintViolation } from './name-constraints.ts';
import { readCertificate } from './certificate-fields.ts';
import { pemContents } from './pem.ts';

/** Whether the name, with all that is below it, is one of these or below one. */
export function isPermitted(name: string, names: readonly string[]): boolean {
  return names.some((one) => name === one || name.endsWith(`.${one}`));
}

/** Without those that are below another: each name costs room in every handshake. */
export function parentsOf(names: readonly string[]): readonly string[] {
  const all = [...new Set(names)];
  return all.filter(
    (name) =>
      !isPermitted(
        name,
        all.filter((one) => one !== name),
      ),
  );
}

/**
 * These names and all below them. Addresses are another form, which permitted names do not bound: they are excluded, or a leaf for an address
 * would escape.
 */
export function nameConstraints(names: readonly string[]): Uint8Array {
  const permitted = parentsOf(names).map((name) => derSequence(der(0x82, Buffer.from(name, 'latin1'))));
  // An address and a mask of nothing: every address of IPv4, and of IPv6.
  const excluded = [8, 32].map((length) => derSequence(der(0x87, new Uint8Array(length))));
  return extension('2.5.29.30', 'critical', derSequence(der(0xa0, ...permitted), der(0xa1, ...excluded)));
}

/**
 * Throws `ca_key_unusable` where the certificates do not bound leaves to these names, or bound them more. `path`: PEM of authorities, the one
 * that signs first.
 */
export function requireNamed(path: readonly string[], names: readonly string[]): void {
  const authorities = path.map(pemContents);
  const [own = Uint8Array.of()] = authorities;
  const key = createKey();
  const spki = publicKeyInfo(key);
  const keyId = keyIdentifier(spki);
  const signer = { key, name: readCertificate(own).subject, keyId, notBeforeMs: 0, notAfterMs: 1000 };
  const violates = (host: string): boolean => {
    const leaf = leafCertificate(signer, { names: [host], spki, keyId, notBeforeMs: 0, notAfterMs: 1000 });
    return constraintViolation([leaf, ...authorities]) !== undefined;
  };
  const outside = ['invalid', ...names.flatMap(domainsAbove)]
    .map((domain) => `name-outside.${domain}`)
    .filter((host) => !isPermitted(host, names));
  const escaped = [...new Set(outside), '192.0.2.1', '2001:db8::1'].find((host) => !violates(host));
  if (escaped !== undefined)
    throw unusable(
      `the chain certifies ${escaped} too, and certificateAuthority.names says that it must not: sign the name constraints of the request`,
    );
  const missing = parentsOf(names).find((name) => violates(name));
  if (missing !== undefined)
    throw unusable(
      `the chain does not certify ${missing}, which is in certificateAuthority.names: sign the name constraints of the request`,
    );
}

/** `b.c` and `c` of `a.b.c`: a chain that permits one of them permits more than the name. */
function domainsAbove(name: string): readonly string[] {
  const labels = name.split('.');
  return labels.slice(1).map((_, i) => labels.slice(i + 1).join('.'));
}

function unusable(message: string): ProxyError {
  return new ProxyError('ca_key_unusable', message);
}
