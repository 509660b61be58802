// The certificate of the gateway's own public port, where the operator gives none.

import type { CertificateAuthority } from './certificate-authority.ts';

export interface ServerIdentity {
  readonly certificatePem: string;
  readonly keyPem: string;
  /** What the agent pins: the one that signed, and those before and after it while they rotate. */
  readonly caPem: string;
  /** Open the identity again before then. */
  readonly notAfterMs: number;
}

export interface ServerIdentityOptions {
  /** Host names and addresses by which agents reach the gateway. */
  readonly names: readonly string[];
  readonly nowMs: number;
}

/** The authority of the gateway's own port: its files, and how it is called in trust stores. */
export const serverAuthority = { name: 'server-ca', commonName: 'upstreamproxy gateway' } as const;

/**
 * A certificate for the gateway's port by its authority, which is not the one that intercepts: workloads trust that one. The server's
 * key is never written. Throws ProxyError `ca_key_unusable`.
 */
export function issueServerIdentity(
  authority: CertificateAuthority,
  { names, nowMs }: ServerIdentityOptions,
): ServerIdentity {
  const leaf = authority.issueFor(names, nowMs);
  const { privateKey } = leaf;
  return {
    certificatePem: leaf.certificatePem,
    keyPem:
      typeof privateKey === 'string'
        ? privateKey
        : privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    caPem: authority.certificatesPem,
    notAfterMs: leaf.notAfterMs,
  };
}
