// Where systems keep trust, and what is placed there.

import { systemBundlePaths } from './trust.ts';

/** Key stores of a JDK. */
export const javaStores: readonly string[] = [
  '/etc/ssl/certs/java/cacerts',
  '/etc/pki/java/cacerts',
  '/etc/ssl/certs/java-cacerts',
  '/var/lib/ca-certificates/java-cacerts',
];
/** Certificates by OpenSSL's hash names. */
export const hashedFolder = '/etc/ssl/certs';
/** The same, of all distributions: Debian and Alpine, Fedora, Arch, SUSE. */
export const hashedFolders: readonly string[] = [
  hashedFolder,
  '/etc/pki/tls/certs',
  '/etc/pki/ca-trust/extracted/pem/directory-hash',
  '/etc/ca-certificates/extracted/cadir',
  '/var/lib/ca-certificates/pem',
  '/var/lib/ca-certificates/openssl',
];
/** All trusted roots in one file, also in the form of OpenSSL with settings; several are links to one. */
export const bundleFiles: readonly string[] = [
  ...systemBundlePaths,
  '/etc/ssl/certs/ca-bundle.crt',
  '/etc/pki/tls/cert.pem',
  '/etc/pki/ca-trust/extracted/openssl/ca-bundle.trust.crt',
  '/etc/ca-certificates/extracted/tls-ca-bundle.pem',
  '/etc/ca-certificates/extracted/ca-bundle.trust.crt',
];
/** Mono's store of the machine, by the same names; made where Mono is and has none. */
export const monoStores: readonly string[] = ['/usr/share/.mono/new-certs/Trust'];
/** p11-kit reads every file of them: Fedora, Arch, SUSE. They are the distributions' own; administrators have others below /etc. */
export const anchorFolders: readonly string[] = [
  '/usr/share/pki/ca-trust-source/anchors',
  '/usr/share/ca-certificates/trust-source/anchors',
  '/usr/share/pki/trust/anchors',
];
/** Folders with much else in them, in which commands write: over them nothing is laid. */
export const wideFolders: ReadonlySet<string> = new Set([
  '/',
  '/etc',
  '/etc/ssl',
  '/etc/pki',
  '/opt',
  '/usr',
  '/usr/lib',
  '/usr/lib64',
  '/usr/share',
  '/var',
  '/var/lib',
]);
export const firefoxPlaces: readonly string[] = [
  '/usr/lib/firefox',
  '/usr/lib/firefox-esr',
  '/usr/lib64/firefox',
  '/opt/firefox',
];
export const firefoxPolicies = '/etc/firefox/policies/policies.json';

/** Policies that make Firefox trust these files, of a certificate each. */
export function firefoxPoliciesText(files: readonly string[]): string {
  return `${JSON.stringify({ policies: { Certificates: { Install: files } } }, undefined, 2)}\n`;
}

/** The policies of a file with ours beside them; undefined if it is not what Firefox understands. */
export function mergedFirefoxPolicies(
  original: string | undefined,
  files: readonly string[],
): string | undefined {
  if (original === undefined || original.trim() === '') return firefoxPoliciesText(files);
  try {
    const file = asRecord(JSON.parse(original));
    const policies = asRecord(file?.['policies']);
    if (file === undefined || policies === undefined) return undefined;
    const certificates = asRecord(policies['Certificates']) ?? {};
    const installed = certificates['Install'];
    const install = [...(Array.isArray(installed) ? (installed as readonly unknown[]) : []), ...files];
    const merged = { ...policies, Certificates: { ...certificates, Install: install } };
    return `${JSON.stringify({ ...file, policies: merged }, undefined, 2)}\n`;
  } catch {
    // Firefox says so itself.
    return undefined;
  }
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  // Every object that is no list has its members by name.
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

/** Each of the three reads all files of its folder, whatever HOME and profile are; `CACertificates` since version 131. */
export const chromiumPolicies: readonly string[] = [
  '/etc/chromium/policies/managed/upstreamproxy.json',
  '/etc/opt/chrome/policies/managed/upstreamproxy.json',
  '/etc/opt/chrome_for_testing/policies/managed/upstreamproxy.json',
];

/** Policies that make Chromium trust these certificates, DER in base64. */
export function chromiumPoliciesText(certificates: readonly string[]): string {
  return `${JSON.stringify({ CACertificates: certificates }, undefined, 2)}\n`;
}
