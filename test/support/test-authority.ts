// A private certificate authority for the origins of a test.

import { createSecureContext, type SecureContext } from 'node:tls';

import { createEphemeralAuthority } from '../../src/pki/certificate-authority.ts';

export interface TestAuthority {
  /** PEM of the root, as `upstream.ca` takes it. */
  readonly caPem: string;
  /** Certificate and key for a host name or an IP address, both PEM. */
  issue(host: string): { readonly cert: string; readonly key: string };
  /** The same as a secure context, for an SNI callback. */
  context(host: string): SecureContext;
}

/** Of the root: by its name alone it is known from a gateway's. */
export const testAuthorityName = 'test origins CA';

/** Makes a fresh root. Nothing is written to disk. */
export function createTestAuthority(nowMs: number = Date.now()): TestAuthority {
  const authority = createEphemeralAuthority(nowMs, testAuthorityName);
  const issue = (host: string): { cert: string; key: string } => {
    const leaf = authority.issue(host, nowMs);
    const key =
      typeof leaf.privateKey === 'string'
        ? leaf.privateKey
        : leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { cert: leaf.certificatePem, key };
  };
  return { caPem: authority.certificatesPem, issue, context: (host) => createSecureContext(issue(host)) };
}
