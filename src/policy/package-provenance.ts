// Who has to have built a version of a package, as attestations say it that somebody verified.

import type { Destination } from '../http/destination.ts';
import type { PackageRegistry } from '../understand/packages/package-request.ts';
import { type RegistryRoot, sourceOf } from './known-package.ts';
import { unmeasured } from './matching-work.ts';
import { matchesSegment } from './star-pattern.ts';

/** Registries that keep attestations of what they deliver. */
export const attestedRegistries: ReadonlySet<PackageRegistry> = new Set(['npm', 'pypi']);

/** Undefined: any. Plain data. */
export interface ProvenanceCondition {
  /** `https://github.com/acme/*`: `*` is text within a part, and `**` at the end is any number of parts. */
  readonly repositories: readonly string[] | undefined;
  /** Who says which workflow that was, as URLs. */
  readonly issuers: readonly string[] | undefined;
}

/** What one attestation says, that was verified: who built what. */
export interface Attester {
  readonly repository: string;
  readonly issuer: string;
  /** Of the archive that it is about, as `sha512-…` with base64. */
  readonly digest: string;
}

/** `told`: metadata names attestations, which nobody has looked at. */
export type Provenance =
  | { readonly kind: 'told' }
  | { readonly kind: 'verified'; readonly by: readonly Attester[] }
  /** `why` is the end of a sentence: `lodash@1.0.0` … */
  | { readonly kind: 'none'; readonly why: string };

export interface KnownProvenance {
  /** Where it is known from, as in `KnownPackage`. */
  readonly source: string;
  /** Of a version, or a file where each has its own. */
  of(versionOrFile: string): Provenance;
}

interface Judged {
  readonly registry: PackageRegistry;
  readonly root: RegistryRoot | undefined;
  readonly provenance?: ProvenanceCondition;
}

/** Digests of archives that may be delivered, or why none may. */
export type JudgedProvenance =
  | { readonly digests: readonly string[] | 'not-known-yet' }
  | { readonly why: string };

/** @param key of the version, or of the file */
export function judgeProvenance(
  { registry, root, provenance }: Judged,
  key: string,
  known: KnownProvenance | undefined,
  destination: Destination,
): JudgedProvenance {
  // It is asked for as soon as nothing else keeps the version back.
  if (provenance === undefined || known === undefined) return { digests: 'not-known-yet' };
  if (known.source !== sourceOf({ registry, root }, destination))
    return { why: 'is of a registry whose attestations nobody asked for' };
  const one = known.of(key);
  switch (one.kind) {
    case 'told':
      return { digests: 'not-known-yet' };
    case 'none':
      return { why: one.why };
    case 'verified': {
      const fitting = one.by.filter((attester) => fits(provenance, attester));
      const [by] = one.by;
      if (fitting.length > 0) return { digests: [...new Set(fitting.map(({ digest }) => digest))] };
      return {
        why: `was built from ${by?.repository ?? 'nowhere'}, as ${by?.issuer ?? 'nobody'} says, and the rule wants another one (${provenanceText(provenance)})`,
      };
    }
  }
}

function fits({ repositories, issuers }: ProvenanceCondition, { repository, issuer }: Attester): boolean {
  const isFrom = repositories?.some((pattern) => matchesRepository(pattern, repository)) ?? true;
  return isFrom && (issuers?.includes(issuer) ?? true);
}

/** Part by part, so that a `*` reaches into no other owner's. */
export function matchesRepository(pattern: string, repository: string): boolean {
  const [wanted, parts] = [pattern.split('/'), repository.split('/')];
  const isOpen = wanted.at(-1) === '**';
  if (isOpen) wanted.pop();
  if (isOpen ? parts.length <= wanted.length : parts.length !== wanted.length) return false;
  return wanted.every((one, i) => matchesSegment(one, parts[i] ?? '', unmeasured));
}

/** The host is written out: who may name a host names any repository. */
export const isRepositoryPattern = (text: string): boolean =>
  /^https:\/\/[a-z0-9.-]+(?::\d{1,5})?(?:\/[A-Za-z0-9._~*-]+)+$/.test(text) && !/\*\*(?!$)/.test(text);

export const isIssuer = (text: string): boolean => /^https:\/\/[a-z0-9][A-Za-z0-9._~/:-]*$/.test(text);

/** What is written. */
export function provenanceText({ repositories, issuers }: ProvenanceCondition): string {
  const parts = [
    ...(repositories === undefined ? [] : [`repository ${repositories.join(', ')}`]),
    ...(issuers === undefined ? [] : [`issuer ${issuers.join(', ')}`]),
  ];
  return parts.length === 0 ? 'required' : parts.join('; ');
}

/** Whether `inner` lets nothing through that `outer` does not. */
export function provenanceCovers(
  outer: ProvenanceCondition | undefined,
  inner: ProvenanceCondition | undefined,
): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  return isPartOf(inner.repositories, outer.repositories) && isPartOf(inner.issuers, outer.issuers);
}

const isPartOf = (inner: readonly string[] | undefined, outer: readonly string[] | undefined): boolean =>
  outer === undefined || inner?.every((one) => outer.includes(one)) === true;
