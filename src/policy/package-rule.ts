// `packages` of a rule: which packages of a registry, and which versions of them, may be fetched.

import {
  type PackageRegistry,
  type PackageRequest,
  UnreadablePackage,
} from '../understand/packages/package-request.ts';
import { isTestPackage } from '../understand/packages/test-package.ts';
import { readerOf } from '../understand/packages/read-package.ts';
import type { AccessRequest, RequestAccess } from './decision.ts';
import { isRootOf, type NamedRegistry, type RegistryRoot, sourceOf } from './known-package.ts';
import { type MatchingWork, unmeasured } from './matching-work.ts';
import {
  advisoryAgainst,
  type AdvisoryException,
  type KeepingBack,
  knowsNothing,
  looksAtAdvisories,
} from './package-advisories.ts';
import type { PackageIntegrity } from './package-integrity.ts';
import { judgeProvenance, type JudgedProvenance, type ProvenanceCondition } from './package-provenance.ts';
import { inRange, namesPackage, type PackagePattern } from './package-pattern.ts';
import {
  allowsPublishing,
  type PublishCondition,
  type PublishRequest,
  publishRequestOf,
} from './publish-rule.ts';

/** Lets a version through in spite of its age, or of the advisories that it names, until then. */
export interface PackageException extends AdvisoryException {
  readonly reason: string;
}

/** Plain data. */
export interface PackagesCondition extends KeepingBack {
  readonly registry: PackageRegistry;
  readonly root: RegistryRoot | undefined;
  /** Undefined: every package. */
  readonly allow: readonly PackagePattern[] | undefined;
  readonly deny: readonly PackagePattern[];
  /** How long a version has to be out; 0: no time. */
  readonly minAgeMs: number;
  readonly exceptions: readonly PackageException[];
  readonly integrity?: PackageIntegrity;
  /** Who has to have built it; absent: nobody asks. */
  readonly provenance?: ProvenanceCondition;
  /** What runs when it is installed is told, and nothing is refused for it. */
  readonly tellsScripts?: true;
  /** It is about publishing, and about nothing else. */
  readonly publish?: PublishCondition;
  /** Set where registries cannot be asked: each version is taken to be too young, and attested by nobody. */
  readonly isEachTooYoung?: true;
}

/**
 * `packages`: it is not one that the rule names, or none at all. `advisory`: it is one, and something is known against it, or nobody
 * knows whether there is. `age`: it is too young. `provenance`: nobody attests as the rule wants it that it was built. `unread-publication`: one
 * that denies has to know what is published.
 */
export type PackageMismatch = 'packages' | 'advisory' | 'age' | 'provenance' | 'unread-publication';

/** Until its time is known a version matches that has to be of an age, and `awaitedOfPackage` says that it has to be asked again; so with attestations. */
export function packageMismatch(
  condition: PackagesCondition,
  effect: 'allow' | 'deny',
  access: RequestAccess,
  { nowMs, work }: { readonly nowMs: number; readonly work: MatchingWork },
): PackageMismatch | undefined {
  const read = packageOf(access, condition);
  if (effect === 'deny') {
    if (awaitsName(condition, access)) return 'unread-publication';
    return isMeant(condition, read, { access, nowMs, work }) ? undefined : 'packages';
  }
  if (condition.publish !== undefined) {
    const asked = publishRequestOf(condition, read, access);
    const isMeant = asked !== undefined && !(asked instanceof UnreadablePackage);
    return isMeant && allowsPublishing(condition.publish, asked, condition.registry, work)
      ? undefined
      : 'packages';
  }
  // A WebSocket, for one: what comes of it is read by nobody.
  if (access.body?.kind === 'unreadable') return 'packages';
  if (read instanceof UnreadablePackage || !isAllowed(condition, read, work)) return 'packages';
  if (isKeptBack(condition, read, { access, nowMs, work })) return 'advisory';
  if (isYoung(condition, read, access, nowMs)) return 'age';
  return 'why' in provenanceOf(condition, read, access) ? 'provenance' : undefined;
}

/** Of requests that are decided; many rules ask for the same one. */
const known = new WeakMap<RequestAccess, Map<string, PackageRequest | UnreadablePackage>>();

/** What the request is about, as a registry of this kind reads it. */
export function packageOf(
  access: RequestAccess,
  { registry, root }: Pick<PackagesCondition, 'registry' | 'root'>,
): PackageRequest | UnreadablePackage {
  const key = `${registry} ${root === undefined ? '' : rootText(root)}`;
  let readings = known.get(access);
  if (readings === undefined) known.set(access, (readings = new Map()));
  let read = readings.get(key);
  if (read === undefined) readings.set(key, (read = readPackage(access, registry, root)));
  return read;
}

function readPackage(
  { method, path, query, destination, package: told }: RequestAccess,
  registry: PackageRegistry,
  root: RegistryRoot | undefined,
): PackageRequest | UnreadablePackage {
  const isAtRoot = root !== undefined && isRootOf(root, destination);
  const prefix = isAtRoot ? root.path : '';
  if (!path.startsWith(`${prefix}/`)) return new UnreadablePackage('is outside the path of the registry');
  const read = readerOf(registry)({ method, path: path.slice(prefix.length), query });
  if (read instanceof UnreadablePackage || told?.version === undefined) return read;
  const { version, file } = told;
  const { use, name, written } = read;
  // What is asked is whether this version could be fetched.
  return name === undefined || use !== 'metadata'
    ? read
    : {
        use: 'archive',
        name,
        ...(written === undefined ? {} : { written }),
        version,
        ...(file === undefined ? {} : { file }),
      };
}

function isAllowed(condition: PackagesCondition, read: PackageRequest, work: MatchingWork): boolean {
  const { registry, allow, deny } = condition;
  const { use, name, version } = read;
  if (use === 'registry') return true;
  if ((use !== 'metadata' && use !== 'archive') || name === undefined) return false;
  if (isTestPackage(registry, name)) return false;
  const named = allow?.filter((one) => namesPackage(one, name, work));
  const denied = deny.filter((one) => namesPackage(one, name, work, true));
  if (work.isSpent || named?.length === 0) return false;
  if (version !== undefined) {
    if (denied.some((one) => inRange(one, version, registry, work) !== false)) return false;
    return named?.some((one) => inRange(one, version, registry, work) === true) ?? true;
  }
  if (denied.some(({ range }) => range === undefined)) return false;
  // What names versions where nobody takes them out may name no version that is kept back.
  const hidesSome =
    denied.length > 0 ||
    condition.minAgeMs > 0 ||
    looksAtAdvisories(condition) ||
    condition.provenance !== undefined ||
    named?.every(({ range }) => range !== undefined) === true;
  return read.isIndirect !== true || !hidesSome;
}

/** By a rule that denies: what cannot be read, and what may be a version that it names. */
function isMeant(
  condition: PackagesCondition,
  read: PackageRequest | UnreadablePackage,
  asking: Asking,
): boolean {
  if (read instanceof UnreadablePackage) return true;
  const { registry, deny } = condition;
  const { work, access } = asking;
  const { use, version, isIndirect } = read;
  const published = publishRequestOf(condition, read, access);
  // Of what has its name in its address, that counts.
  if (published instanceof UnreadablePackage && read.name === undefined) return true;
  const name = read.name ?? (published instanceof UnreadablePackage ? undefined : published?.name);
  if (name === undefined) return false;
  if (isTestPackage(registry, name) || isKeptBack(condition, read, asking)) return true;
  const names = read.from === undefined ? [name] : [name, read.from];
  return deny.some((one) => {
    if (!names.some((each) => namesPackage(one, each, work, true))) return false;
    if (one.range === undefined || use === 'publish' || isIndirect === true) return true;
    return version !== undefined && inRange(one, version, registry, work) !== false;
  });
}

interface Asking {
  readonly access: RequestAccess;
  readonly nowMs: number;
  readonly work: MatchingWork;
}

/** To find a package among hundreds of thousands takes some 10 µs. */
const stepsPerLookup = 50;

/** Whether something is known against it, or nobody knows whether there is. */
function isKeptBack(
  condition: PackagesCondition,
  { use, name, version, isIndirect }: PackageRequest,
  { access, nowMs, work }: Asking,
): boolean {
  const isFetched = use === 'metadata' || use === 'archive';
  if (name === undefined || !isFetched || !looksAtAdvisories(condition)) return false;
  const { advisories } = access;
  if (knowsNothing(condition, advisories) || !work.spend(stepsPerLookup)) return true;
  if (version !== undefined)
    return advisoryAgainst(condition, { name, version }, advisories, nowMs) !== undefined;
  // The response names a version, of which nobody knows yet which one.
  return isIndirect === true && (advisories?.find(condition.registry, name).length ?? 0) > 0;
}

/** The member of `timeOf`, where the age of the request is judged at all. */
function agedKey(condition: PackagesCondition, read: PackageRequest, nowMs: number): string | undefined {
  const { name, version, file } = read;
  const key = file ?? version;
  if (condition.minAgeMs === 0 || name === undefined || key === undefined) return undefined;
  const isExcepted = condition.exceptions.some(
    ({ pattern, untilMs, advisories }) =>
      advisories === undefined &&
      nowMs < untilMs &&
      namesPackage(pattern, name, unmeasured) &&
      inRange(pattern, version ?? key, condition.registry, unmeasured) === true,
  );
  return isExcepted ? undefined : key;
}

function isYoung(
  condition: PackagesCondition,
  read: PackageRequest,
  access: RequestAccess,
  nowMs: number,
): boolean {
  const key = agedKey(condition, read, nowMs);
  if (key !== undefined && condition.isEachTooYoung === true) return true;
  if (key === undefined || access.package === undefined) return false;
  const isOfThis = access.package.source === sourceOf(condition, access.destination);
  const published = isOfThis ? access.package.timeOf(key) : undefined;
  return published === undefined || nowMs - published < condition.minAgeMs;
}

/** What is published, as far as it is known; undefined: nothing. */
export const publishedBy = (
  registry: NamedRegistry,
  access: RequestAccess,
): PublishRequest | UnreadablePackage | undefined =>
  publishRequestOf(registry, packageOf(access, registry), access);

/** Of a rule that denies: which package it is stands in a body that nobody has read. */
function awaitsName(condition: PackagesCondition, access: RequestAccess): boolean {
  const asked = publishedBy(condition, access);
  const isAwaited = asked !== undefined && !(asked instanceof UnreadablePackage) && asked.awaits === true;
  return isAwaited && asked.name === undefined;
}

/** Whether a rule with `publish` matched without having been told what the body publishes. */
export function awaitsPublication(condition: PackagesCondition | undefined, access: RequestAccess): boolean {
  if (condition?.publish === undefined) return false;
  const asked = publishedBy(condition, access);
  return asked !== undefined && !(asked instanceof UnreadablePackage) && asked.awaits === true;
}

/** What attestations say of the version that the request is for, as far as the rule looks at them. */
function provenanceOf(
  condition: PackagesCondition,
  { version, file }: PackageRequest,
  { provenance, destination }: RequestAccess,
): JudgedProvenance {
  const key = file ?? version;
  if (condition.provenance === undefined || key === undefined) return { digests: 'not-known-yet' };
  if (condition.isEachTooYoung === true) return { why: 'is taken to have no provenance' };
  return judgeProvenance(condition, key, provenance, destination);
}

/** As `provenanceOf`, of what can be read. */
export function judgedProvenance(
  condition: PackagesCondition,
  access: RequestAccess,
): JudgedProvenance | undefined {
  const read = packageOf(access, condition);
  return read instanceof UnreadablePackage ? undefined : provenanceOf(condition, read, access);
}

/** What a rule looks at, and matched without having been told. Attestations are asked for last. */
export function awaitedOfPackage(
  condition: PackagesCondition | undefined,
  access: AccessRequest,
  nowMs: number,
): { readonly awaits: 'publish-times' | 'provenance' } | undefined {
  if (condition === undefined || access.depth === 'connect') return undefined;
  const read = packageOf(access, condition);
  if (condition.isEachTooYoung === true || read instanceof UnreadablePackage) return undefined;
  const isAged = access.package === undefined && agedKey(condition, read, nowMs) !== undefined;
  if (isAged) return { awaits: 'publish-times' };
  const isAttested =
    condition.provenance !== undefined && access.provenance === undefined && read.version !== undefined;
  return isAttested ? { awaits: 'provenance' } : undefined;
}

/** When a version that is too young becomes old enough; undefined: nobody knows when it came out. */
export function maturesAtMs(condition: PackagesCondition, access: RequestAccess): number | undefined {
  const read = packageOf(access, condition);
  if (read instanceof UnreadablePackage) return undefined;
  const published = access.package?.timeOf(read.file ?? read.version ?? '');
  return published === undefined ? undefined : published + condition.minAgeMs;
}

export function rootText({ scheme, host, port, path }: RegistryRoot): string {
  const shown = host.includes(':') ? `[${host}]` : host;
  const isDefault = port === (scheme === 'https' ? 443 : 80);
  return `${scheme}://${shown}${isDefault ? '' : `:${String(port)}`}${path}/`;
}

/** Whether metadata of the registry may tell of a version that the rule keeps back. */
export function hidesVersions(condition: PackagesCondition, effect: 'allow' | 'deny'): boolean {
  const { allow, deny, minAgeMs } = condition;
  const hasRanges = allow?.some(({ range }) => range !== undefined) === true;
  const isJudged = minAgeMs > 0 || looksAtAdvisories(condition) || condition.provenance !== undefined;
  return effect === 'deny' || isJudged || deny.length > 0 || hasRanges;
}
