// Certificates of every shape, made by hand from DER: authorities with name constraints, and leaves with any names.

import { X509Certificate, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

import {
  der,
  derBitString,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
  derTag,
  derTime,
  derTrue,
  derUtf8String,
} from '../../src/pki/der.ts';
import { publicKeyInfo, signatureOf } from '../../src/pki/certificate-profile.ts';

export interface MadeCertificate {
  readonly der: Uint8Array;
  readonly pem: string;
  readonly key: KeyObject;
  readonly subject: Uint8Array;
}

export interface CertificateShape {
  /** Common name, or the DER of a Name; default: an empty one. */
  readonly subject?: string | Uint8Array;
  readonly issuer?: MadeCertificate;
  /** DER of GeneralNames. */
  readonly names?: readonly Uint8Array[];
  readonly isAuthority?: boolean;
  readonly constraints?: {
    readonly permitted?: readonly Uint8Array[];
    readonly excluded?: readonly Uint8Array[];
  };
  /** DER of the extension's value, in place of `constraints`. */
  readonly rawConstraints?: Uint8Array;
  readonly usages?: readonly string[];
  readonly key?: KeyObject;
  readonly notAfterMs?: number;
}

const dayMs = 86_400_000;
let serial = 0;

export function dnsName(name: string): Uint8Array {
  return der(0x82, Buffer.from(name, 'latin1'));
}

export function addressName(...octets: readonly number[]): Uint8Array {
  return der(0x87, Uint8Array.from(octets));
}

export function directoryNameOf(...pairs: readonly (readonly [oid: string, text: string])[]): Uint8Array {
  const rdns = pairs.map(([oid, text]) => der(derTag.set, derSequence(derOid(oid), derUtf8String(text))));
  return derSequence(...rdns);
}

/** As GeneralName. */
export function directory(...pairs: readonly (readonly [oid: string, text: string])[]): Uint8Array {
  return der(0xa4, directoryNameOf(...pairs));
}

export const commonName = '2.5.4.3';
export const organization = '2.5.4.10';
export const country = '2.5.4.6';

function nameConstraints({ permitted, excluded }: NonNullable<CertificateShape['constraints']>): Uint8Array {
  const subtrees = (tag: number, bases: readonly Uint8Array[] | undefined): readonly Uint8Array[] =>
    bases === undefined ? [] : [der(tag, ...bases.map((base) => derSequence(base)))];
  return derSequence(...subtrees(0xa0, permitted), ...subtrees(0xa1, excluded));
}

/** Signed by its issuer, or by itself. */
export function makeCertificate(shape: CertificateShape): MadeCertificate {
  const key = shape.key ?? generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
  const subject =
    typeof shape.subject === 'string'
      ? directoryNameOf([commonName, shape.subject])
      : (shape.subject ?? derSequence());
  const signer = shape.issuer ?? { key, subject };
  const { algorithm, digest } = signatureOf(signer.key);
  serial += 1;
  const now = Date.now();
  const toBeSigned = derSequence(
    der(0xa0, derInteger(Uint8Array.of(2))),
    derInteger(Uint8Array.of(serial >>> 8, serial & 0xff)),
    algorithm,
    signer.subject,
    derSequence(derTime(now - 9 * dayMs), derTime(shape.notAfterMs ?? now + dayMs)),
    subject,
    publicKeyInfo(key),
    der(0xa3, derSequence(...extensionsOf(shape))),
  );
  const certificate = derSequence(toBeSigned, algorithm, derBitString(sign(digest, toBeSigned, signer.key)));
  return { der: certificate, pem: new X509Certificate(certificate).toString(), key, subject };
}

function extensionsOf({
  isAuthority = false,
  names,
  constraints,
  rawConstraints,
  usages,
}: CertificateShape): Uint8Array[] {
  const extension = (oid: string, value: Uint8Array): Uint8Array =>
    derSequence(derOid(oid), derTrue(), derOctetString(value));
  const extensions = [extension('2.5.29.19', isAuthority ? derSequence(derTrue()) : derSequence())];
  if (isAuthority) extensions.push(extension('2.5.29.15', derBitString(Uint8Array.of(0x06), 1)));
  if (usages !== undefined) extensions.push(extension('2.5.29.37', derSequence(...usages.map(derOid))));
  if (names !== undefined) extensions.push(extension('2.5.29.17', derSequence(...names)));
  const value = rawConstraints ?? (constraints === undefined ? undefined : nameConstraints(constraints));
  if (value !== undefined) extensions.push(extension('2.5.29.30', value));
  return extensions;
}
