// Where systems keep trust beside their PEM bundles, and what is placed there.

/** Key stores of a JDK. */
export const javaStores: readonly string[] = [
  '/etc/ssl/certs/java/cacerts',
  '/etc/pki/java/cacerts',
  '/etc/ssl/certs/java-cacerts',
];
/** Certificates by OpenSSL's hash names. */
export const hashedFolder = '/etc/ssl/certs';
export const firefoxPlaces: readonly string[] = [
  '/usr/lib/firefox',
  '/usr/lib/firefox-esr',
  '/usr/lib64/firefox',
  '/opt/firefox',
];
export const firefoxPolicies = '/etc/firefox/policies/policies.json';

/** Policies that make Firefox trust the certificates of that file. */
export function firefoxPoliciesText(ownCa: string): string {
  return `${JSON.stringify({ policies: { Certificates: { Install: [ownCa] } } }, undefined, 2)}\n`;
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
