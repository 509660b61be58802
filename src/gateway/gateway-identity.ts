// The certificate of the gateway's own public port, and its renewal.

import { readFile } from 'node:fs/promises';
import type { Server } from 'node:https';
import { createSecureContext } from 'node:tls';
import { issueServerIdentity } from '../pki/server-identity.ts';
import type { ServerIdentity } from '../pki/server-identity.ts';
import { ProxyError } from '../protocol/error.ts';
import { RepeatedLook } from '../system/repeated-look.ts';
import type { CertificateAuthority } from '../pki/certificate-authority.ts';
import type { GatewayConfig } from './config/config.ts';
import { FollowedAuthority, type FollowedAuthorityOptions } from './followed-authority.ts';
import type { IdentityPlaces, PortPlace } from './identity/identity-places.ts';

/** The own certificate is looked at this often, and renewed when a third of its life is left. */
const identityCheckMs = 6 * 3_600_000;
const identityRenewBeforeMs = 10 * 24 * 3_600_000;

/** The authority of the own certificate, as its place has it from now on; undefined where the operator gives one. Throws ca_key_unusable. */
export async function followServerAuthority(
  { tls }: Pick<GatewayConfig, 'tls'>,
  { server }: Pick<IdentityPlaces, 'server'>,
  { clock, log }: Pick<FollowedAuthorityOptions, 'clock' | 'log'>,
): Promise<FollowedAuthority | undefined> {
  return tls === 'self' ? await FollowedAuthority.open({ place: server, clock, log }) : undefined;
}

/** What can give the certificate of the public port, where files do not. */
export interface CertificateGivers {
  readonly authority?: CertificateAuthority | undefined;
  readonly port?: PortPlace | undefined;
}

/** The certificate of the public port: the operator's, or one by that authority. */
export async function openIdentity(
  config: Pick<GatewayConfig, 'tls' | 'publicNames'>,
  { authority, port }: CertificateGivers,
  nowMs: number,
): Promise<{ readonly identity: ServerIdentity; readonly renewable: boolean }> {
  if (config.tls === 'self') {
    if (authority === undefined) throw new ProxyError('internal', 'no authority signs the own certificate');
    return {
      identity: issueServerIdentity(authority, { names: config.publicNames, nowMs }),
      renewable: true,
    };
  }
  const { certificatePem, keyPem } = await (config.tls === 'store'
    ? (port?.read() ?? Promise.reject(new ProxyError('internal', 'the own certificate is in no store')))
    : readPair(config.tls));
  const identity = { certificatePem, keyPem, caPem: '', notAfterMs: Number.POSITIVE_INFINITY };
  return { identity, renewable: false };
}

/** Throws `config_invalid`, by the names of the files, where a server says only what its library found wrong. */
export async function readPair({
  certificate,
  key: keyFile,
}: Exclude<GatewayConfig['tls'], string>): Promise<{
  readonly certificatePem: string;
  readonly keyPem: string;
}> {
  const [certificatePem, keyPem] = await Promise.all([
    readFile(certificate, 'utf8'),
    readFile(keyFile, 'utf8'),
  ]);
  try {
    createSecureContext({ cert: certificatePem, key: keyPem });
    return { certificatePem, keyPem };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `tls: ${certificate} and ${keyFile} are no certificate and its key: ${reason}`;
    throw new ProxyError('config_invalid', message, { cause: error });
  }
}

export interface RenewIdentityOptions {
  readonly server: Pick<Server, 'setSecureContext'>;
  readonly identity: ServerIdentity;
  /** Whose certificate it is: when another one signs, it is made anew at once. */
  readonly authority: (CertificateAuthority & Pick<FollowedAuthority, 'onSigner'>) | undefined;
  readonly clock: () => number;
  readonly log: (level: 'error', message: string) => void;
  readonly intervalMs?: number;
}

/** Keeps the gateway's own certificate fresh in a process that runs for months. */
export function renewIdentity(
  config: GatewayConfig,
  { server, identity, authority, clock, log, intervalMs = identityCheckMs }: RenewIdentityOptions,
): RepeatedLook {
  let untilMs = identity.notAfterMs - identityRenewBeforeMs;
  let signer = authority?.signerPem;
  const renewal = new RepeatedLook({
    look: async () => {
      const now = authority?.signerPem;
      if (clock() < untilMs && now === signer) return;
      const { identity: fresh } = await openIdentity(config, { authority }, clock());
      signer = now;
      server.setSecureContext({ cert: fresh.certificatePem, key: fresh.keyPem, minVersion: 'TLSv1.2' });
      untilMs = fresh.notAfterMs - identityRenewBeforeMs;
    },
    intervalMs,
    // Told each time: from the first one on there are ten days to mend it, and nobody looks at a certificate that still serves.
    onFault: ({ message }) => {
      const end = new Date(untilMs + identityRenewBeforeMs).toISOString();
      log(
        'error',
        `the certificate of the public port cannot be renewed: ${message}; agents refuse it from ${end} on`,
      );
    },
  });
  renewal.start();
  authority?.onSigner(() => void renewal.now());
  return renewal;
}
