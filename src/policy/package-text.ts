// What `packages` of a rule says, for people, and whether one saying covers another.

import { publishedWord } from '../understand/packages/version-times.ts';
import {
  type PackageRequest,
  UnreadablePackage,
  versionText,
} from '../understand/packages/package-request.ts';
import { isTestPackage } from '../understand/packages/test-package.ts';
import type { AccessRequest } from './decision.ts';
import {
  advisoryAgainst,
  advisoryText,
  keepsBackAll,
  knowsNothing,
  looksAtAdvisories,
} from './package-advisories.ts';
import { unmeasured } from './matching-work.ts';
import { integrityCovers } from './package-integrity.ts';
import { inRange, namesPackage, type PackagePattern } from './package-pattern.ts';
import { provenanceCovers, provenanceText } from './package-provenance.ts';
import {
  judgedProvenance,
  maturesAtMs,
  packageOf,
  type PackagesCondition,
  publishedBy,
  rootText,
} from './package-rule.ts';
import { publishCovers, publishProblem, publishText } from './publish-rule.ts';
import { matchesSegment } from './star-pattern.ts';

const sources = (patterns: readonly PackagePattern[]): string =>
  patterns.map(({ source }) => source).join(', ');

/** What is written. */
export function packagesText(condition: PackagesCondition): string {
  const { registry, root, allow, deny, minAgeMs, exceptions, integrity } = condition;
  const { advisoriesFrom, deniesMalware, provenance, publish } = condition;
  const parts = [`registry ${registry}`];
  if (root !== undefined) parts.push(`index ${rootText(root)}`);
  if (publish !== undefined) parts.push(publishText(publish));
  if (allow !== undefined) parts.push(`allow ${sources(allow)}`);
  if (deny.length > 0) parts.push(`deny ${sources(deny)}`);
  if (minAgeMs > 0) parts.push(`minAge ${ageText(minAgeMs)}`);
  if (integrity !== undefined) parts.push(`integrity ${integrity}`);
  if (condition.tellsScripts === true) parts.push('installScripts tell');
  if (advisoriesFrom !== undefined) parts.push(`advisories deny ${advisoriesFrom}`);
  if (deniesMalware) parts.push('malware deny');
  if (provenance !== undefined) parts.push(`provenance ${provenanceText(provenance)}`);
  for (const { pattern, untilMs, reason, advisories } of exceptions) {
    const of = advisories === undefined ? '' : ` in spite of ${advisories.join(', ')}`;
    parts.push(`exception ${pattern.source}${of} until ${new Date(untilMs).toISOString()} (${reason})`);
  }
  return parts.join('; ');
}

const unitsMs = { w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000 } as const;

/** `3d`, `36h` */
function ageText(ms: number): string {
  for (const [unit, one] of Object.entries(unitsMs)) if (ms % one === 0) return `${String(ms / one)}${unit}`;
  return `${String(Math.round(ms / 1000))}s`;
}

/** Milliseconds, or undefined where it is no age. */
export function parseAge(text: string): number | undefined {
  const [, count = '', unit = ''] = /^(\d{1,5})(w|d|h|m)$/.exec(text) ?? [];
  // The pattern admits these units alone.
  return count === '' ? undefined : Number(count) * unitsMs[unit as keyof typeof unitsMs];
}

/** Why a rule does not let a request through, as the end of a sentence: `the request` …, or `lodash@1.0.0` … */
export function packageProblem(condition: PackagesCondition, access: AccessRequest): string {
  if (access.depth === 'connect') return 'is not known yet';
  if (condition.publish !== undefined)
    return publishProblem(condition.publish, publishedBy(condition, access));
  const read = packageOf(access, condition);
  if (read instanceof UnreadablePackage) return `the request ${read.reason}`;
  switch (read.use) {
    case 'publish':
      return 'the request would publish, which only a rule with publish allows';
    case 'search':
    case 'other':
      return 'the request fetches no package';
    case 'registry':
    case 'metadata':
    case 'archive':
      return read.isIndirect === true && (condition.minAgeMs > 0 || condition.provenance !== undefined)
        ? `the response could name versions of ${versionText(read)} that are kept back`
        : whyNot(condition, read);
  }
}

/** Not more of the rule than what it says of this package. */
function whyNot({ registry, allow, deny }: PackagesCondition, read: PackageRequest): string {
  const { name = '', version } = read;
  const what = versionText(read);
  if (isTestPackage(registry, name))
    return `${what} is refused by each rule about packages, so that packages test can show that one is in force`;
  const denied = deny.find(
    (one) =>
      namesPackage(one, name, unmeasured, true) &&
      (version === undefined || inRange(one, version, registry, unmeasured) !== false),
  );
  if (denied !== undefined) return `${what} is in its deny (${denied.source})`;
  const named = allow?.filter((one) => namesPackage(one, name, unmeasured)) ?? [];
  return named.length === 0
    ? `${what} is not in its allow`
    : `${what} is not in its allow (${sources(named.slice(0, patternsShownMax))})`;
}

const patternsShownMax = 5;

/** Why a version is kept back that the rule names. */
export function advisoryProblem(condition: PackagesCondition, access: AccessRequest, nowMs: number): string {
  if (access.depth === 'connect') return 'is not known yet';
  const { registry } = condition;
  if (knowsNothing(condition, access.advisories))
    return `there is no index of advisories about packages of ${registry} that can be read, so nothing of them is allowed (advisories.index)`;
  const read = packageOf(access, condition);
  if (read instanceof UnreadablePackage) return `the request ${read.reason}`;
  const { name = '', version } = read;
  const found =
    version === undefined
      ? undefined
      : advisoryAgainst(condition, { name, version }, access.advisories, nowMs);
  return found === undefined
    ? `the response could name versions of ${versionText(read)} that are kept back`
    : `${versionText(read)} ${advisoryText(found)}`;
}

/** A layer of an image has no version. */
const agedText = (read: PackageRequest): string =>
  read.version === undefined && read.file !== undefined
    ? `${read.file} of ${read.name ?? ''}`
    : versionText(read);

/** Why a version is too young. */
export function ageProblem(condition: PackagesCondition, access: AccessRequest): string {
  if (access.depth === 'connect') return 'is not known yet';
  const read = packageOf(access, condition);
  const what = read instanceof UnreadablePackage ? 'the package' : agedText(read);
  const at = maturesAtMs(condition, access);
  const age = ageText(condition.minAgeMs);
  if (at === undefined) return `nobody knows when ${what} was published, and versions have to be ${age} old`;
  const day = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16)}Z`;
  return `${what} was ${publishedWord(condition.registry)} at ${day(at - condition.minAgeMs)} and is allowed from ${day(at)}, when it is ${age} old`;
}

/** Why nobody attests as the rule wants it. */
export function provenanceProblem(condition: PackagesCondition, access: AccessRequest): string {
  if (access.depth === 'connect') return 'is not known yet';
  const read = packageOf(access, condition);
  const what = read instanceof UnreadablePackage ? 'the package' : versionText(read);
  const judged = judgedProvenance(condition, access);
  return `${what} ${judged !== undefined && 'why' in judged ? judged.why : 'has no provenance that is known'}`;
}

/** More pairs of two rules are not compared one by one: whether one covers the other cannot be told then. */
const pairsMax = 4096;

type Written = PackagesCondition | undefined;

/** Whether everything that `inner` lets through is known to be let through by `outer`; of rules that deny, what they deny. */
export const packagesCover = (outer: Written, inner: Written): boolean =>
  coversSame(outer, inner, coversAllowed);

/** Of rules that deny: what `inner` denies, `outer` denies. */
export const denialsCover = (outer: Written, inner: Written): boolean =>
  coversSame(outer, inner, coversDenied);

/** Conditions of two registries are not compared. */
function coversSame(
  outer: Written,
  inner: Written,
  covers: (outer: PackagesCondition, inner: PackagesCondition) => boolean,
): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  const isSameRegistry =
    outer.registry === inner.registry && JSON.stringify(outer.root) === JSON.stringify(inner.root);
  return isSameRegistry && covers(outer, inner);
}

function coversAllowed(outer: PackagesCondition, inner: PackagesCondition): boolean {
  if (outer.publish !== undefined || inner.publish !== undefined) {
    if (outer.publish === undefined || inner.publish === undefined) return false;
    const count = outer.publish.allow.length * inner.publish.allow.length;
    return count <= pairsMax && publishCovers(outer.publish, inner.publish, isIn);
  }
  const pairs = (a: readonly unknown[] = [], b: readonly unknown[] = []): number => a.length * b.length;
  if (pairs(outer.allow, inner.allow) + pairs(outer.deny, inner.deny) > pairsMax) return false;
  const allows =
    outer.allow === undefined || inner.allow?.every((one) => isIn(one, outer.allow ?? [])) === true;
  // What the outer denies the inner has to deny too.
  const denies = outer.deny.every((one) => isIn(one, inner.deny));
  const excepts = inner.exceptions.every((one) =>
    outer.exceptions.some(
      (other) =>
        other.untilMs >= one.untilMs &&
        patternCovers(other.pattern, one.pattern) &&
        (one.advisories === undefined
          ? other.advisories === undefined
          : one.advisories.every((id) => other.advisories?.includes(id) === true)),
    ),
  );
  const excepted = outer.minAgeMs === 0 && !looksAtAdvisories(outer);
  const waits = inner.minAgeMs >= outer.minAgeMs && keepsBackAll(inner, outer);
  const checks =
    integrityCovers(outer.integrity, inner.integrity) && provenanceCovers(outer.provenance, inner.provenance);
  return allows && denies && waits && checks && (excepted || excepts);
}

function coversDenied(outer: PackagesCondition, inner: PackagesCondition): boolean {
  if (outer.deny.length * inner.deny.length > pairsMax) return false;
  // What one of them excepts the other one may deny.
  const isSame = keepsBackAll(outer, inner) && (outer.exceptions.length === 0 || !looksAtAdvisories(inner));
  return isSame && inner.deny.every((one) => isIn(one, outer.deny));
}

const isIn = (one: PackagePattern, others: readonly PackagePattern[]): boolean =>
  others.some((other) => patternCovers(other, one));

function patternCovers(outer: PackagePattern, inner: PackagePattern): boolean {
  const covers =
    outer.name === '*' ||
    outer.name === inner.name ||
    (!inner.name.includes('*') && matchesSegment(outer.name, inner.name, unmeasured));
  return covers && (outer.range === undefined || JSON.stringify(outer.range) === JSON.stringify(inner.range));
}
