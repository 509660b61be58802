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
