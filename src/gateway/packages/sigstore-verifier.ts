// Attestations in bundles of Sigstore, verified by its own packages against a root of trust that lies on the disk: nothing is fetched.

import type { Bundle, SerializedBundle } from '@sigstore/bundle';
import type { Signer, Verifier } from '@sigstore/verify';
import type { Attester } from '../../policy/package-provenance.ts';
import { ProxyError } from '../../protocol/error.ts';
import {
  type AttestedSubject,
  attestedDigest,
  statementType,
} from '../../understand/packages/attestation.ts';

type Packages = typeof import('@sigstore/bundle') & typeof import('@sigstore/verify');

/** Why an attestation does not count, as the end of a sentence: `lodash@1.0.0` … */
export interface RefusedAttestation {
  readonly why: string;
}

/** For who has them alone: nobody else waits for them. @throws ProxyError config_invalid where somebody has taken them out */
async function loadPackages(): Promise<Packages & typeof import('@sigstore/protobuf-specs')> {
  try {
    const [bundle, specs, verify] = await Promise.all([
      import('@sigstore/bundle'),
      import('@sigstore/protobuf-specs'),
      import('@sigstore/verify'),
    ]);
    return { ...specs, ...bundle, ...verify };
  } catch (cause) {
    throw new ProxyError(
      'config_invalid',
      'packageTrust.sigstore needs the packages of Sigstore, which are not installed; install upstreamproxy again',
      { cause },
    );
  }
}

export class SigstoreVerifier {
  readonly #packages: Packages;
  readonly #verifier: Verifier;

  private constructor(packages: Packages, verifier: Verifier) {
    this.#packages = packages;
    this.#verifier = verifier;
  }

  /** @param root a `trusted_root.json`, and `where` it is. @throws ProxyError config_invalid */
  static async open(root: string, where: string): Promise<SigstoreVerifier> {
    const packages = await loadPackages();
    const fault = (why: string, cause?: unknown): ProxyError =>
      new ProxyError('config_invalid', `${where}: it is no root of trust of Sigstore: ${why}`, { cause });
    try {
      const told: unknown = JSON.parse(root);
      const trusted = packages.TrustedRoot.fromJSON(told);
      if (!trusted.mediaType.startsWith('application/vnd.dev.sigstore.trustedroot'))
        throw fault('its mediaType is another one');
      const { certificateAuthorities, tlogs, ctlogs } = trusted;
      if (certificateAuthorities.length === 0 || tlogs.length === 0)
        throw fault('it names no authority, or no log');
      const verifier = new packages.Verifier(packages.toTrustMaterial(trusted), {
        tlogThreshold: 1,
        timestampThreshold: 1,
        // Some that organisations run have no log of certificates.
        ctlogThreshold: ctlogs.length === 0 ? 0 : 1,
      });
      return new SigstoreVerifier(packages, verifier);
    } catch (error) {
      throw error instanceof ProxyError ? error : fault('it cannot be read', error);
    }
  }

  /** Who attests the subject by this bundle, or why nobody does; undefined: it attests something else. */
  verify(written: unknown, about: AttestedSubject): Attester | RefusedAttestation | undefined {
    let bundle: Bundle;
    try {
      // It is checked there.
      bundle = this.#packages.bundleFromJSON(boundedBundle(written) as SerializedBundle);
    } catch {
      return { why: 'has an attestation that cannot be read' };
    }
    const { content } = bundle;
    if (content.$case !== 'dsseEnvelope' || content.dsseEnvelope.payloadType !== statementType)
      return undefined;
    const { payload, signatures } = content.dsseEnvelope;
    const digest = attestedDigest(payload, about);
    if (digest === undefined) return undefined;
    if (signatures.length !== 1) return { why: 'has an attestation with several signatures' };
    try {
      const signer = this.#verifier.verify(this.#packages.toSignedEntity(bundle));
      return (
        attesterOf(signer, digest) ?? { why: 'has an attestation whose certificate names no repository' }
      );
    } catch (error) {
      return { why: `has an attestation ${reasonOf(error)}` };
    }
  }
}

const depthMax = 12;
const entriesMax = 4;
const proofHashesMax = 64;
const certificateCharactersMax = 32_768;

/** What is read for each is in proportion to its length, and verifying for each entry. @throws Error */
function boundedBundle(written: unknown): unknown {
  const { verificationMaterial: material } = written as { readonly verificationMaterial: Material };
  const { tlogEntries = [], timestampVerificationData } = material;
  const certificates = [...(material.x509CertificateChain?.certificates ?? []), material.certificate];
  const isBounded =
    isPlain(written, depthMax) &&
    tlogEntries.length <= entriesMax &&
    tlogEntries.every(({ inclusionProof }) => (inclusionProof?.hashes?.length ?? 0) <= proofHashesMax) &&
    (timestampVerificationData?.rfc3161Timestamps?.length ?? 0) <= entriesMax &&
    certificates.every((one) => (one?.rawBytes?.length ?? 0) <= certificateCharactersMax);
  if (!isBounded) throw new Error('the bundle is too large');
  return written;
}

/**
 * Where a text should be, an object with a `length` would be taken as so many octets, of which none came. Nothing in a bundle has a member of that
 * name.
 */
function isPlain(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0 || (!Array.isArray(value) && 'length' in value)) return false;
  return Object.values(value).every((one) => isPlain(one, depth - 1));
}

/** What of a bundle is counted, before anybody looked at it. */
interface Material {
  readonly tlogEntries?: readonly {
    readonly inclusionProof?: { readonly hashes?: { readonly length: number } };
  }[];
  readonly timestampVerificationData?: { readonly rfc3161Timestamps?: { readonly length: number } };
  readonly certificate?: { readonly rawBytes?: { readonly length: number } };
  readonly x509CertificateChain?: {
    readonly certificates?: readonly ({ readonly rawBytes?: { readonly length: number } } | undefined)[];
  };
}

/** Source Repository URI, of those that Fulcio writes. */
const repositoryOid = '1.3.6.1.4.1.57264.1.12';
const textLengthMax = 512;

function attesterOf({ identity }: Signer, digest: string): Attester | undefined {
  const issuer = identity?.extensions?.issuer;
  const [found, ...others] = (identity?.oids ?? []).filter(({ oid }) => oid?.id.join('.') === repositoryOid);
  if (found === undefined || others.length > 0 || issuer === undefined) return undefined;
  const repository = utf8StringIn(found.value);
  if (repository === undefined || issuer.length > textLengthMax) return undefined;
  return { repository, issuer, digest };
}

/** Of a DER UTF8String of printable ASCII. */
function utf8StringIn(octets: Uint8Array): string | undefined {
  const [tag = 0, short = 0, long = 0] = octets;
  const start = short < 0x80 ? 2 : short === 0x81 ? 3 : short === 0x82 ? 4 : 0;
  const length = short < 0x80 ? short : short === 0x81 ? long : long * 256 + (octets[3] ?? 0);
  if (tag !== 0x0c || start === 0 || octets.length !== start + length || length > textLengthMax)
    return undefined;
  const text = Buffer.from(octets.subarray(start)).toString('latin1');
  return /^[!-~]+$/.test(text) ? text : undefined;
}

/** By its code: what its message says may be what the registry wrote. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'CERTIFICATE_ERROR') return 'that is signed with a certificate that did not hold then';
  if (code === 'SIGNATURE_ERROR') return 'that the key of its certificate did not sign';
  if (code === 'TIMESTAMP_ERROR') return 'of which no log says when it was signed';
  if (code === 'PUBLIC_KEY_ERROR') return 'that is signed without a certificate';
  return code.startsWith('TLOG_') ? 'that is in no log which is trusted' : 'that cannot be verified';
}
