// The certificates that this machine trusts, read once at start: what curl would verify an origin against.

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { certificateBlocks } from '../pki/certificate-blocks.ts';
import { ProxyError } from '../protocol/error.ts';

export interface SystemTrustOptions {
  /** PEM texts of further authorities (`upstream.ca`), each with one certificate or more. */
  readonly extra?: readonly string[];
  /** Where to look for the system's bundle; the first that holds a certificate is taken. */
  readonly bundlePaths?: readonly string[];
}

/** Debian and Alpine, Fedora and RHEL, openSUSE, BSD and macOS. */
const usualBundlePaths: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
  '/usr/local/share/certs/ca-root-nss.crt',
];

/**
 * The trusted certificates, one PEM text each, without repeats. Without a system bundle the runtime's own list is
 * taken. No environment variable is looked at. Throws `config_invalid` if an extra text holds no certificate.
 */
export function loadSystemTrust(options: SystemTrustOptions = {}): readonly string[] {
  const { extra = [], bundlePaths = usualBundlePaths } = options;
  const system = firstBundle(bundlePaths) ?? rootCertificates;
  const added = extra.flatMap(requireCertificates);
  return [...new Set([...system, ...added].map(withPlainLineEnds))];
}

function firstBundle(paths: readonly string[]): readonly string[] | undefined {
  for (const path of paths) {
    const certificates = splitPem(readOrEmpty(path));
    if (certificates.length > 0) return certificates;
  }
  return undefined;
}

/** A bundle that is missing or unreadable is not this system's. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function splitPem(text: string): readonly string[] {
  return certificateBlocks(text).filter(
    (pem) => pem.startsWith('-----BEGIN CERTIFICATE') && /^[A-Za-z0-9+/=\s]+$/.test(bodyOf(pem)),
  );
}

function requireCertificates(text: string): readonly string[] {
  const certificates = splitPem(text);
  if (certificates.length === 0) {
    throw new ProxyError(
      'config_invalid',
      'An additional certificate authority has no PEM certificate in it.',
    );
  }
  for (const certificate of certificates) {
    try {
      // Parsed here so that a broken file is told at start, not at the first connection.
      void new X509Certificate(certificate);
    } catch (cause) {
      throw new ProxyError('config_invalid', 'A certificate of an additional authority cannot be read.', {
        cause,
      });
    }
  }
  return certificates;
}

/** What stands between its first line and its last. */
function bodyOf(pem: string): string {
  return pem.slice(pem.indexOf('-----', '-----'.length) + '-----'.length, pem.lastIndexOf('-----END'));
}

/** One form for all, so that equal certificates are equal texts. */
function withPlainLineEnds(pem: string): string {
  const base64 = bodyOf(pem).replace(/\s/g, '');
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}
