// The certificate of the gateway's own public port, and its renewal.

import { readFile } from 'node:fs/promises';
import type { Server } from 'node:https';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { openServerIdentity, serverAuthority } from '../pki/server-identity.ts';
import type { ServerIdentity } from '../pki/server-identity.ts';
import { ProxyError } from '../protocol/error.ts';
import { RepeatedLook } from '../system/repeated-look.ts';
import type { GatewayConfig } from './config/config.ts';
import { FollowedAuthority, type FollowedAuthorityOptions } from './followed-authority.ts';

/** The own certificate is looked at this often, and renewed when a third of its life is left. */
const identityCheckMs = 6 * 3_600_000;
const identityRenewBeforeMs = 10 * 24 * 3_600_000;

/** Where the authority of the own certificate is; undefined where the operator gives one. */
export function serverAuthorityOf(
  config: GatewayConfig,
): (typeof serverAuthority & { readonly directory: string }) | undefined {
  if (config.tls !== 'self') return undefined;
  return { directory: folderOf(config), ...serverAuthority };
}

function folderOf({ stateDirectory }: GatewayConfig): string {
  return join(stateDirectory, 'server');
}

/** That authority, as its folder has it from now on. Throws ca_key_unusable. */
export async function followServerAuthority(
  config: GatewayConfig,
  { clock, log }: Pick<FollowedAuthorityOptions, 'clock' | 'log'>,
): Promise<FollowedAuthority | undefined> {
  const place = serverAuthorityOf(config);
  return place === undefined ? undefined : await FollowedAuthority.open({ ...place, clock, log });
}

/** The certificate of the public port: the operator's, or one of our own. */
export async function openIdentity(
  config: GatewayConfig,
  nowMs: number,
): Promise<{ readonly identity: ServerIdentity; readonly renewable: boolean }> {
  if (config.tls === 'self') {
    return {
      identity: await openServerIdentity(folderOf(config), { names: config.publicNames, nowMs }),
      renewable: true,
    };
  }
  const [certificatePem, keyPem] = await Promise.all([
    readFile(config.tls.certificate, 'utf8'),
    readFile(config.tls.key, 'utf8'),
  ]);
  requirePair(config.tls, { cert: certificatePem, key: keyPem });
  const identity = { certificatePem, keyPem, caPem: '', notAfterMs: Number.POSITIVE_INFINITY };
  return { identity, renewable: false };
}

/** Said by their names, where a server says only what its library found wrong. */
function requirePair(
  { certificate, key: keyFile }: Exclude<GatewayConfig['tls'], 'self'>,
  pair: { readonly cert: string; readonly key: string },
): void {
  try {
    createSecureContext(pair);
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
  readonly authority?: Pick<FollowedAuthority, 'signerPem' | 'onSigner'>;
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
      const { identity: fresh } = await openIdentity(config, clock());
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
