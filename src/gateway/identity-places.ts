// Where the signing key and the authorities of a gateway are, and how each of them is had.

import { join } from 'node:path';
import { openCertificateAuthority, readCertificateAuthority } from '../pki/authority-folder.ts';
import type { CertificateAuthority } from '../pki/certificate-authority.ts';
import { serverAuthority } from '../pki/server-identity.ts';
import { ProxyError } from '../protocol/error.ts';
import type { GatewayConfig } from './config/config.ts';
import { openSigningKey, readSigningKeys, type SigningKey } from './sessions/signing-key.ts';

export interface AuthorityPlace {
  /** As messages name it. */
  readonly label: string;
  /** Makes it where there is none yet, and where that is the gateway's to do. Throws ProxyError `ca_key_unusable`. */
  open(nowMs: number): Promise<CertificateAuthority>;
  /** Makes nothing. Throws ProxyError `ca_key_unusable`. */
  read(nowMs: number): Promise<CertificateAuthority>;
}

export interface SigningKeyPlace {
  /** Makes it where there is none yet, and where that is the gateway's to do. Throws ProxyError `signing_key_unusable`. */
  open(): Promise<SigningKey>;
  /** Makes nothing. Throws ProxyError `signing_key_unusable`. */
  read(): Promise<SigningKey>;
}

/** All that several gateways have to have in common. */
export interface IdentityPlaces {
  readonly signingKey: SigningKeyPlace;
  /** The authority that intercepts. */
  readonly interception: AuthorityPlace;
  /** That of the gateway's own port; of no use where the operator brings a certificate. */
  readonly server: AuthorityPlace;
  /** That by which gateways know each other. */
  readonly peers: AuthorityPlace;
}

/** The files of an authority of a configuration, for who changes them. */
export interface AuthorityFolder {
  readonly directory: string;
  readonly name?: string;
  readonly commonName?: string;
}

type Named = Pick<GatewayConfig, 'identity' | 'certificateAuthority'>;

export function interceptionFolder({ certificateAuthority }: Named): AuthorityFolder {
  return { directory: certificateAuthority.directory };
}

export function serverFolder({ identity }: Named): AuthorityFolder {
  return { directory: join(identity.directory, 'server'), ...serverAuthority };
}

/** By it gateways know each other: what intercepts signs any name that a workload asks for. */
function peersFolder({ identity }: Named): AuthorityFolder {
  return { directory: join(identity.directory, 'peers'), name: 'peer-ca', commonName: 'upstreamproxy peers' };
}

/** Those of the configuration. What the operator placed there is never made anew: a gateway that cannot read it must not start another. */
export function identityPlaces(config: Named): IdentityPlaces {
  const { directory, isGiven } = config.identity;
  return isGiven
    ? {
        signingKey: given({ open: () => readSigningKeys(directory), read: () => readSigningKeys(directory) }),
        interception: given(authorityPlace(interceptionFolder(config), 'read')),
        server: given(authorityPlace(serverFolder(config), 'read')),
        peers: given(authorityPlace(peersFolder(config), 'read')),
      }
    : ownPlaces(config);
}

/** Those of the configuration, each made where it is missing. */
export function ownPlaces(config: Named): IdentityPlaces {
  const { directory } = config.identity;
  return {
    signingKey: { open: () => openSigningKey(directory), read: () => readSigningKeys(directory) },
    interception: authorityPlace(interceptionFolder(config), 'make'),
    server: authorityPlace(serverFolder(config), 'make'),
    peers: authorityPlace(peersFolder(config), 'make'),
  };
}

function authorityPlace({ directory, ...names }: AuthorityFolder, missing: 'make' | 'read'): AuthorityPlace {
  const read: AuthorityPlace['read'] = (nowMs) => readCertificateAuthority(directory, { nowMs, ...names });
  const make: AuthorityPlace['open'] = (nowMs) => openCertificateAuthority(directory, { nowMs, ...names });
  return { label: directory, read, open: missing === 'make' ? make : read };
}

/** Says what to do where a start finds nothing. */
function given<Place extends { open(nowMs: number): Promise<unknown> }>(place: Place): Place {
  const open = async (nowMs: number): Promise<unknown> => {
    try {
      return await place.open(nowMs);
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error;
      const hint = 'no gateway makes anything in identity.directory: see "upstreamproxy identity make"';
      throw new ProxyError(error.code, `${error.message} (${hint})`, { cause: error });
    }
  };
  // Gives what that of the place gives.
  return { ...place, open };
}
