// An authority and a log like those of Sigstore, and attestations by a workflow that they confirm. Nothing of Sigstore's own is used.

import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  der,
  derBitString,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
  derTag,
  derTrue,
  derUtf8String,
} from '../../src/pki/der.ts';

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export interface Statement {
  readonly subject: readonly { readonly name: string; readonly digest: Readonly<Record<string, string>> }[];
  readonly predicateType: string;
  readonly _type?: string;
}

export interface SigningOptions {
  readonly repository?: string | undefined;
  readonly issuer?: string;
  /** When the log took it. */
  readonly atMs?: number;
  /** When the certificate holds; around that by default. */
  readonly certificateFromMs?: number;
  readonly isLogged?: boolean;
  readonly signedBy?: KeyPair;
}

export interface SigstoreSigner {
  /** `trusted_root.json` */
  readonly root: string;
  attest(statement: Statement, options?: SigningOptions): Bundle;
}

interface LogEntry {
  readonly canonicalizedBody: string;
  readonly inclusionProof: object;
}

export interface Bundle {
  readonly mediaType: string;
  readonly verificationMaterial: {
    readonly certificate: { readonly rawBytes: string };
    readonly tlogEntries: readonly LogEntry[];
  };
  readonly dsseEnvelope: {
    readonly payload: string;
    readonly payloadType: string;
    readonly signatures: readonly { readonly sig: string; readonly keyid: string }[];
  };
}

export const actionsIssuer = 'https://token.actions.githubusercontent.com';
const statementType = 'application/vnd.in-toto+json';
const longMs = 10 * 365 * 86_400_000;

export function sigstoreSigner(nowMs = Date.now()): SigstoreSigner {
  const [authority, log] = [newKey(), newKey()];
  const name = directoryName('sigstore.test');
  const authorityCertificate = certificateOf({
    subject: name,
    issuer: name,
    key: authority.publicKey,
    signedBy: authority.privateKey,
    fromMs: nowMs - longMs,
    untilMs: nowMs + longMs,
    extensions: [
      extension('2.5.29.19', derSequence(derTrue()), true),
      extension('2.5.29.15', derBitString(Uint8Array.of(0x06), 1), true),
    ],
  });
  const logId = sha256(spkiOf(log.publicKey));
  const validFor = { start: new Date(nowMs - longMs).toISOString() };
  const trusted = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [
      {
        baseUrl: 'https://rekor.test',
        hashAlgorithm: 'SHA2_256',
        publicKey: {
          rawBytes: base64(spkiOf(log.publicKey)),
          keyDetails: 'PKIX_ECDSA_P256_SHA_256',
          validFor,
        },
        logId: { keyId: base64(logId) },
      },
    ],
    certificateAuthorities: [
      {
        subject: { organization: 'sigstore.test', commonName: 'sigstore.test' },
        uri: 'https://fulcio.test',
        certChain: { certificates: [{ rawBytes: base64(authorityCertificate) }] },
        validFor,
      },
    ],
    ctlogs: [],
    timestampAuthorities: [],
  };
  return {
    root: JSON.stringify(trusted),
    attest: (statement, options = {}) => {
      const {
        issuer = actionsIssuer,
        atMs = nowMs,
        certificateFromMs = atMs - 60_000,
        isLogged = true,
        signedBy: authorityKey = authority,
      } = options;
      const repository = 'repository' in options ? options.repository : 'https://github.com/acme/lib';
      const key = newKey();
      const certificate = certificateOf({
        subject: derSequence(),
        issuer: name,
        key: key.publicKey,
        signedBy: authorityKey.privateKey,
        fromMs: certificateFromMs,
        untilMs: certificateFromMs + 600_000,
        extensions: [
          extension('2.5.29.15', derBitString(Uint8Array.of(0x80), 7), true),
          extension('2.5.29.37', derSequence(derOid('1.3.6.1.5.5.7.3.3'))),
          extension('2.5.29.17', derSequence(der(0x86, Buffer.from('https://github.com/acme/lib/w.yml')))),
          extension('1.3.6.1.4.1.57264.1.8', derUtf8String(issuer)),
          ...(repository === undefined
            ? []
            : [extension('1.3.6.1.4.1.57264.1.12', derUtf8String(repository))]),
        ],
      });
      const payload = Buffer.from(
        JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', predicate: {}, ...statement }),
      );
      const signature = sign('sha256', preAuthEncoding(payload), key.privateKey);
      const entry = logEntry({ payload, signature, certificate }, { log, logId, atMs });
      return {
        mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
        verificationMaterial: {
          certificate: { rawBytes: base64(certificate) },
          tlogEntries: isLogged ? [entry] : [],
        },
        dsseEnvelope: {
          payload: base64(payload),
          payloadType: statementType,
          signatures: [{ sig: base64(signature), keyid: '' }],
        },
      };
    },
  };
}

/** As npm's registry sends them, beside what it signs itself. */
export const npmAttestations = (...bundles: readonly unknown[]): string =>
  JSON.stringify({ attestations: bundles.map((bundle) => ({ predicateType: 'what it says', bundle })) });

/** As PyPI sends them (PEP 740). */
export const pypiProvenance = (...bundles: readonly Bundle[]): string =>
  JSON.stringify({
    version: 1,
    attestation_bundles: bundles.map(({ verificationMaterial: material, dsseEnvelope }) => ({
      publisher: { kind: 'GitHub', repository: 'acme/lib', workflow: 'w.yml' },
      attestations: [
        {
          version: 1,
          verification_material: {
            certificate: material.certificate.rawBytes,
            transparency_entries: material.tlogEntries,
          },
          envelope: { statement: dsseEnvelope.payload, signature: dsseEnvelope.signatures[0]?.sig },
        },
      ],
    })),
  });

const newKey = (): KeyPair => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const base64 = (octets: Uint8Array): string => Buffer.from(octets).toString('base64');
const sha256 = (...parts: readonly Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest();
const spkiOf = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

function preAuthEncoding(payload: Buffer): Buffer {
  const head = `DSSEv1 ${String(statementType.length)} ${statementType} ${String(payload.length)} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** The only one of its log, so that it is the root of the tree too. */
function logEntry(
  {
    payload,
    signature,
    certificate,
  }: { readonly payload: Buffer; readonly signature: Buffer; readonly certificate: Uint8Array },
  { log, logId, atMs }: { readonly log: KeyPair; readonly logId: Buffer; readonly atMs: number },
): LogEntry {
  const verifier = `-----BEGIN CERTIFICATE-----\n${base64(certificate)}\n-----END CERTIFICATE-----\n`;
  const body = Buffer.from(
    JSON.stringify({
      apiVersion: '0.0.1',
      kind: 'dsse',
      spec: {
        payloadHash: { algorithm: 'sha256', value: sha256(payload).toString('hex') },
        signatures: [{ signature: base64(signature), verifier: base64(Buffer.from(verifier)) }],
      },
    }),
  );
  const integratedTime = Math.floor(atMs / 1000);
  // In the order of RFC 8785.
  const promised = JSON.stringify({
    body: base64(body),
    integratedTime,
    logID: logId.toString('hex'),
    logIndex: 0,
  });
  const rootHash = sha256(Uint8Array.of(0), body);
  const note = `rekor.test\n1\n${base64(rootHash)}\n`;
  const ofNote = Buffer.concat([logId.subarray(0, 4), sign('sha256', Buffer.from(note), log.privateKey)]);
  return {
    logIndex: '0',
    logId: { keyId: base64(logId) },
    kindVersion: { kind: 'dsse', version: '0.0.1' },
    integratedTime: String(integratedTime),
    inclusionPromise: {
      signedEntryTimestamp: base64(sign('sha256', Buffer.from(promised), log.privateKey)),
    },
    inclusionProof: {
      logIndex: '0',
      treeSize: '1',
      rootHash: base64(rootHash),
      hashes: [],
      checkpoint: { envelope: `${note}\n\u2014 rekor.test ${base64(ofNote)}\n` },
    },
    canonicalizedBody: base64(body),
  } as LogEntry;
}

const directoryName = (text: string): Uint8Array =>
  derSequence(der(derTag.set, derSequence(derOid('2.5.4.3'), derUtf8String(text))));

const extension = (oid: string, value: Uint8Array, isCritical = false): Uint8Array =>
  derSequence(derOid(oid), ...(isCritical ? [derTrue()] : []), derOctetString(value));

const timeOf = (ms: number): Uint8Array =>
  der(derTag.generalizedTime, Buffer.from(`${new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '')}`));

function certificateOf({
  subject,
  issuer,
  key,
  signedBy,
  fromMs,
  untilMs,
  extensions,
}: {
  readonly subject: Uint8Array;
  readonly issuer: Uint8Array;
  readonly key: KeyObject;
  readonly signedBy: KeyObject;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly extensions: readonly Uint8Array[];
}): Uint8Array {
  const algorithm = derSequence(derOid('1.2.840.10045.4.3.2'));
  const toBeSigned = derSequence(
    der(0xa0, derInteger(Uint8Array.of(2))),
    derInteger(Uint8Array.of(1)),
    algorithm,
    issuer,
    derSequence(timeOf(fromMs), timeOf(untilMs)),
    subject,
    spkiOf(key),
    der(0xa3, derSequence(...extensions)),
  );
  return derSequence(toBeSigned, algorithm, derBitString(sign('sha256', toBeSigned, signedBy)));
}
