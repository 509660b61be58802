// Attestations as registries send them: Sigstore bundles, of which nothing is verified here, and statements of in-toto that are in them.

import { UnreadableBody } from '../json-value.ts';
import type { PackageRegistry } from './package-request.ts';
import { digestOfHex } from './promised-digest.ts';
import { readPypiFile } from './pypi-request.ts';

/** What a statement has to be about. */
export interface AttestedSubject {
  readonly registry: PackageRegistry;
  readonly name: string;
  readonly version: string;
  readonly file?: string | undefined;
}

/** Bundles as JSON, at most `max` of them; more are none. */
export function attestationsIn(
  registry: PackageRegistry,
  octets: Uint8Array,
  max: number,
): readonly unknown[] | UnreadableBody {
  let told: unknown;
  try {
    told = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(octets));
  } catch {
    return new UnreadableBody('is not JSON');
  }
  const bundles = registry === 'pypi' ? ofPypi(told) : ofNpm(told);
  return bundles.length > max
    ? new UnreadableBody(`has more than ${String(max)} attestations (packageAttestationsMax)`)
    : bundles;
}

const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function ofNpm(told: unknown): readonly unknown[] {
  return listOf(member(told, 'attestations')).map((one) => member(one, 'bundle'));
}

/** PEP 740 has the parts of a bundle under names of its own. */
function ofPypi(told: unknown): readonly unknown[] {
  return listOf(member(told, 'attestation_bundles'))
    .flatMap((one) => listOf(member(one, 'attestations')))
    .map((one) => {
      const material = member(one, 'verification_material');
      const envelope = member(one, 'envelope');
      return {
        mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
        verificationMaterial: {
          certificate: { rawBytes: member(material, 'certificate') },
          tlogEntries: member(material, 'transparency_entries'),
        },
        dsseEnvelope: {
          payload: member(envelope, 'statement'),
          payloadType: statementType,
          signatures: [{ sig: member(envelope, 'signature'), keyid: '' }],
        },
      };
    });
}

/** What is signed, as the envelope names it. */
export const statementType = 'application/vnd.in-toto+json';

const statements: ReadonlySet<unknown> = new Set([
  'https://in-toto.io/Statement/v1',
  'https://in-toto.io/Statement/v0.1',
]);

/** By registry: those that say from which source something was built, or by whose workflow it was published. */
const predicates: Readonly<Partial<Record<PackageRegistry, ReadonlySet<unknown>>>> = {
  npm: new Set(['https://slsa.dev/provenance/v1', 'https://slsa.dev/provenance/v0.2']),
  pypi: new Set(['https://slsa.dev/provenance/v1', 'https://docs.pypi.org/attestations/publish/v1']),
};

/** The digest of what the statement is about, as `sha512-…` with base64; undefined: it says nothing of that, or not where it was built. */
export function attestedDigest(payload: Uint8Array, about: AttestedSubject): string | undefined {
  let statement: unknown;
  try {
    statement = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return undefined;
  }
  if (!statements.has(member(statement, '_type'))) return undefined;
  if (predicates[about.registry]?.has(member(statement, 'predicateType')) !== true) return undefined;
  // Of two subjects nobody could say which one is meant.
  const [subject, ...others] = listOf(member(statement, 'subject'));
  if (others.length > 0 || !isNamed(member(subject, 'name'), about)) return undefined;
  const algorithm = about.registry === 'npm' ? 'sha512' : 'sha256';
  const hex = member(member(subject, 'digest'), algorithm);
  return typeof hex === 'string' ? digestOfHex(algorithm, hex) : undefined;
}

function isNamed(name: unknown, { registry, name: asked, version, file }: AttestedSubject): boolean {
  if (typeof name !== 'string') return false;
  if (registry === 'npm') return name === `pkg:npm/${asked.replace('@', '%40')}@${version}`;
  if (name === file) return true;
  const [said, own] = [readPypiFile(name), readPypiFile(file ?? '')];
  // Publishers write dots and dashes of a name as they like; what it is of is in the digest.
  return (
    'name' in said &&
    'name' in own &&
    said.name === own.name &&
    said.version === own.version &&
    endOf(name) === endOf(file ?? '')
  );
}

/** `py3-none-any.whl`, `tar.gz` */
const endOf = (file: string): string => /(?:(?:-[^-]+){3}\.whl|\.tar\.\w+|\.\w+)$/.exec(file)?.[0] ?? '';
