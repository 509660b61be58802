// Where the signing key and the authorities of a gateway are, and how each of them is had.

import { join } from 'node:path';
import { openCertificateAuthority, readCertificateAuthority } from '../../pki/authority-folder.ts';
import type { KeyFiles } from '../../pki/key-files.ts';
import { readCertificates } from '../../pki/authority-files.ts';
import {
  type CertificateAuthority,
  type PublishedAuthority,
  remoteAuthorityOf,
} from '../../pki/certificate-authority.ts';
import { serverAuthority } from '../../pki/server-identity.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { GatewayConfig } from '../config/config.ts';
import { openSigningKey, readSigningKeys, type SigningKey } from '../sessions/signing-key.ts';

/** `A`: what is had there; of the authority that intercepts, another process may have the key. */
export interface AuthorityPlace<A extends PublishedAuthority = CertificateAuthority> {
  /** As messages name it. */
  readonly label: string;
  /** Makes it where there is none yet, and where that is the gateway's to do. Throws ProxyError `ca_key_unusable`. */
  open(nowMs: number): Promise<A>;
  /** Makes nothing. Throws ProxyError `ca_key_unusable`. */
  read(nowMs: number): Promise<A>;
  /** Calls the listener when there is something else to read; absent where only looking shows it. */
  watch?(listener: () => void): void;
}

export interface SigningKeyPlace {
  /** Makes it where there is none yet, and where that is the gateway's to do. Throws ProxyError `signing_key_unusable`. */
  open(): Promise<SigningKey>;
  /** Makes nothing. Throws ProxyError `signing_key_unusable`. */
  read(): Promise<SigningKey>;
  /** Calls the listener when there is something else to read; absent where only looking shows it. */
  watch?(listener: () => void): void;
}

/** The operator's certificate of the port, in the store. */
export interface PortPlace {
  /** PEM of the chain and of its key. Throws ProxyError `identity_unusable` where there is none. */
  read(): Promise<{ readonly certificatePem: string; readonly keyPem: string }>;
  /** Calls the listener when there is something else to read. */
  watch?(listener: () => void): void;
}

/** All that several gateways have to have in common. */
export interface IdentityPlaces {
  /** Absent where they are in files: there the configuration names those of the certificate. */
  readonly port?: PortPlace;
  readonly signingKey: SigningKeyPlace;
  /** The authority that intercepts. */
  readonly interception: AuthorityPlace<PublishedAuthority>;
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
  /** How its keys are in their files; default: as they are. */
  readonly keys?: KeyFiles;
  /** Of what is made: the names that it may certify. */
  readonly names?: readonly string[];
}

type Named = Pick<GatewayConfig, 'identity' | 'certificateAuthority'>;

/** `keys` opens its key files as the configuration says. */
export function interceptionFolder({ certificateAuthority }: Named, keys?: KeyFiles): AuthorityFolder {
  const { directory, passphrase, names, signedBy } = certificateAuthority;
  if (signedBy !== undefined)
    throw new ProxyError(
      'usage',
      'certificateAuthority.signedBy: the authority of a gateway is in no folder, and another one signs it anew by itself; rotate that one',
    );
  // A key would else be written as it is.
  if (passphrase !== undefined && keys?.encrypts !== true)
    throw new ProxyError('internal', 'nothing opens the key files of the authority');
  return {
    directory,
    ...(keys === undefined ? {} : { keys }),
    ...(names === undefined ? {} : { names }),
  };
}

export function serverFolder(config: Named): AuthorityFolder {
  return { directory: join(identityFolder(config), 'server'), ...serverAuthority };
}

/** By it gateways know each other: what intercepts signs any name that a workload asks for. */
export function peersFolder(config: Named): AuthorityFolder {
  return {
    directory: join(identityFolder(config), 'peers'),
    name: 'peer-ca',
    commonName: 'upstreamproxy peers',
  };
}

/** Of an identity in files. */
export function identityFolder({ identity }: Pick<Named, 'identity'>): string {
  if (identity.kind === 'store') throw new ProxyError('internal', 'an identity in the store has no folder');
  return identity.directory;
}

/** Those in files. What the operator placed there is never made anew: a gateway that cannot read it must not start another. */
export function identityPlaces(config: Named, keys?: KeyFiles): IdentityPlaces {
  return config.identity.kind === 'own'
    ? ownPlaces(config, keys)
    : readPlaces(
        config,
        'no gateway makes anything in identity.directory: see "upstreamproxy identity make"',
        keys,
      );
}

/** The same, each made where it is missing. */
export function ownPlaces(config: Named, keys?: KeyFiles): IdentityPlaces {
  const directory = identityFolder(config);
  return {
    signingKey: { open: () => openSigningKey(directory), read: () => readSigningKeys(directory) },
    interception: publishedPlace(config) ?? authorityPlace(interceptionFolder(config, keys), 'make'),
    server: authorityPlace(serverFolder(config), 'make'),
    peers: authorityPlace(peersFolder(config), 'make'),
  };
}

/** The same, none of them made; `hint` says what to do where a start finds nothing. */
export function readPlaces(config: Named, hint: string, keys?: KeyFiles): IdentityPlaces {
  const directory = identityFolder(config);
  return {
    signingKey: given(
      { open: () => readSigningKeys(directory), read: () => readSigningKeys(directory) },
      hint,
    ),
    interception:
      publishedPlace(config) ?? given(authorityPlace(interceptionFolder(config, keys), 'read'), hint),
    server: given(authorityPlace(serverFolder(config), 'read'), hint),
    peers: given(authorityPlace(peersFolder(config), 'read'), hint),
  };
}

/** What containers trust where another authority signs that of this gateway: the certificates of the configuration, by which nothing is signed here. */
function publishedPlace({
  certificateAuthority: { signedBy },
}: Named): AuthorityPlace<PublishedAuthority> | undefined {
  if (signedBy === undefined) return undefined;
  const read = async (): Promise<PublishedAuthority> => {
    const certificates = await readCertificates(signedBy.certificates);
    return remoteAuthorityOf(certificates, () => Promise.reject(nothingSigns()), { renewsItself: true });
  };
  return { label: signedBy.certificates, read, open: read };
}

function nothingSigns(): ProxyError {
  return new ProxyError('signer_unavailable', 'this process has no signer of the authority');
}

function authorityPlace({ directory, ...names }: AuthorityFolder, missing: 'make' | 'read'): AuthorityPlace {
  const read: AuthorityPlace['read'] = (nowMs) => readCertificateAuthority(directory, { nowMs, ...names });
  const make: AuthorityPlace['open'] = (nowMs) => openCertificateAuthority(directory, { nowMs, ...names });
  return { label: directory, read, open: missing === 'make' ? make : read };
}

/** Says what to do where a start finds nothing. */
function given<Place extends { open(nowMs: number): Promise<unknown> }>(place: Place, hint: string): Place {
  const open = async (nowMs: number): Promise<unknown> => {
    try {
      return await place.open(nowMs);
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error;
      throw new ProxyError(error.code, `${error.message} (${hint})`, { cause: error });
    }
  };
  // Gives what that of the place gives.
  return { ...place, open };
}
