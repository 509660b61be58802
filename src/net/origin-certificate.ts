// Whether a certificate is for the host: RFC 9525, stricter than the runtime. The chain is verified by TLS itself.

import { isAddressLiteral } from '../http/authority.ts';
import { canonicalAddress } from '../http/ip-address.ts';
import { printable } from '../http/printable.ts';
import { isPublicSuffix } from '../http/public-suffix.ts';
import { ProxyError } from '../protocol/error.ts';

const otherNameNext =
  'Use a name that the certificate is for; the operator finds its names in the audit under the trace id. Another authority in the trust does not help.';

/** What is read of the peer's certificate: `subjectaltname` as Node prints it. */
export interface NamedCertificate {
  readonly subjectaltname?: string | undefined;
}

/**
 * Checks that a subject alternative name of the certificate is the canonical host. Names match exactly or by a
 * wildcard that is the whole left-most label; an address matches an address entry. The common name never counts.
 * Returns `origin_untrusted` or undefined; the names of the certificate are in the cause.
 */
export function checkOriginCertificate(host: string, certificate: NamedCertificate): ProxyError | undefined {
  const entries = splitAlternativeNames(certificate.subjectaltname ?? '');
  const matches =
    isAddressLiteral(host) === 0 ? entries.some(matchesName(host)) : entries.some(matchesAddress(host));
  if (matches) return undefined;
  return new ProxyError('origin_untrusted', `The certificate of the origin is not for ${host}.`, {
    next: otherNameNext,
    cause: new Error(`subject alternative names: ${printable(certificate.subjectaltname ?? '')}`),
  });
}

/**
 * The entries of Node's text form. Values with unusual characters are quoted there; those are kept whole and so
 * match nothing, as `DNS:"a, DNS:b"` must not become two names.
 */
function splitAlternativeNames(text: string): readonly string[] {
  const entries: string[] = [];
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') isQuoted = !isQuoted;
    else if (isQuoted && character === '\\') at += 1;
    else if (!isQuoted && character === ',' && text[at + 1] === ' ') {
      entries.push(text.slice(start, at));
      start = at + 2;
    }
  }
  entries.push(text.slice(start));
  return entries;
}

function matchesAddress(host: string): (entry: string) => boolean {
  return (entry) => {
    const address = /^IP Address:([0-9A-Fa-f.:]+)$/.exec(entry)?.[1];
    return address !== undefined && canonicalAddress(address) === canonicalAddress(host);
  };
}

function matchesName(host: string): (entry: string) => boolean {
  return (entry) => {
    const pattern = /^DNS:((?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)$/.exec(entry)?.[1]?.toLowerCase();
    if (pattern === undefined) return false;
    if (!pattern.startsWith('*.')) return pattern === host;
    const parent = pattern.slice(2);
    // Of registries alone: companies do hold certificates for the names of all their customers.
    return host.slice(host.indexOf('.') + 1) === parent && !isPublicSuffix(parent, 'registries');
  };
}
