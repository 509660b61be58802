// How gateways show each other who they are: certificates by an authority of their own, each for the name of one process.

import type { CertificateAuthority } from '../../pki/certificate-authority.ts';

/** The protocol that is spoken, by ALPN. */
export const peerProtocol = 'upstreamproxy-peer.1';
/** On the same port: who follows what ended. */
export const changesProtocol = 'upstreamproxy-changes.1';

/** On the same port: who starts while the store is away asks for what it has to know. */
export const startProtocol = 'upstreamproxy-start.1';

/** On the same port: who was shown a proof with a nonce of this gateway. */
export const proofsProtocol = 'upstreamproxy-proofs.1';

/** Below a name that is nobody's (RFC 6761 §6.4). */
const suffix = '.peer.upstreamproxy.invalid';
const form = /^DNS:([0-9a-f]{32})\.peer\.upstreamproxy\.invalid$/;

export function peerNameOf(incarnation: string): string {
  return incarnation + suffix;
}

/** The process that a verified certificate names; undefined for any other certificate. */
export function incarnationOf(subjectAltName: string | undefined): string | undefined {
  return form.exec(subjectAltName ?? '')?.[1];
}

/** What both ends of a connection are given. */
export interface PeerSecrets {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly minVersion: 'TLSv1.3';
}

/** While it is rotated there are two that others trust, and one that signs. */
export interface PeerAuthority extends CertificateAuthority {
  /** Calls the listener each time that either is another one; absent where they stay what they are. */
  onChange?(listener: () => void): void;
}

export class PeerIdentity {
  readonly incarnation: string;
  readonly #authority: PeerAuthority;
  readonly #clock: () => number;

  constructor(incarnation: string, authority: PeerAuthority, clock: () => number) {
    this.incarnation = incarnation;
    this.#authority = authority;
    this.#clock = clock;
  }

  /** What changes them is another of these: ask each time. */
  get signerPem(): string {
    return this.#authority.etag + this.#authority.signerPem;
  }

  /** Calls the listener when `secureOptions` gives something else. */
  onChange(listener: () => void): void {
    this.#authority.onChange?.(listener);
  }

  /** For either end. Nothing else is trusted than the authority of the peers, and nothing below TLS 1.3 spoken. */
  secureOptions(): PeerSecrets {
    const nowMs = this.#clock();
    const { certificatePem, privateKey } = this.#authority.issueFor(
      [peerNameOf(this.incarnation)],
      nowMs,
      'peer',
    );
    const key =
      typeof privateKey === 'string'
        ? privateKey
        : privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { cert: certificatePem, key, ca: this.#authority.certificatesPem, minVersion: 'TLSv1.3' };
  }
}
