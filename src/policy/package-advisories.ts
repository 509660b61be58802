// What is known against versions of packages, as rules count it.

import {
  type AdvisoryLevel,
  type FoundAdvisory,
  type PackageAdvisories,
  type Severity,
  severities,
} from '../understand/packages/advisory.ts';
import type { PackageRegistry } from '../understand/packages/package-request.ts';
import { unmeasured } from './matching-work.ts';
import { inRange, namesPackage, type PackagePattern } from './package-pattern.ts';

/** Which advisories keep a version back. Plain data. */
export interface KeepingBack {
  /** From this severity on, and malware; undefined: none by their severity. */
  readonly advisoriesFrom: Severity | undefined;
  readonly deniesMalware: boolean;
}

/** Lets a version through in spite of some advisories, until then. */
export interface AdvisoryException {
  readonly pattern: PackagePattern;
  readonly untilMs: number;
  /** By any of their ids, malware by its own alone; undefined: it is about the age alone. */
  readonly advisories?: readonly string[];
}

interface Judging extends KeepingBack {
  readonly registry: PackageRegistry;
  readonly exceptions: readonly AdvisoryException[];
}

export interface JudgedVersion {
  readonly name: string;
  readonly version: string;
}

export const looksAtAdvisories = ({ advisoriesFrom, deniesMalware }: KeepingBack): boolean =>
  deniesMalware || advisoriesFrom !== undefined;

/** What nobody has said the severity of counts as high. */
const unknownCountsAs: Severity = 'high';

function counts({ advisoriesFrom, deniesMalware }: KeepingBack, level: AdvisoryLevel): boolean {
  if (level === 'malware') return deniesMalware || advisoriesFrom !== undefined;
  if (advisoriesFrom === undefined) return false;
  const severity = level === 'unknown' ? unknownCountsAs : level;
  return severities.indexOf(severity) >= severities.indexOf(advisoriesFrom);
}

/** Whether nothing is known, so that nothing can be let through. */
export function knowsNothing(
  judging: Pick<Judging, 'registry'> & KeepingBack,
  known: PackageAdvisories | undefined,
): boolean {
  return looksAtAdvisories(judging) && known?.covers(judging.registry) !== true;
}

/** Of those that count against the version and are not excepted, the worst one; malware is worse than all. */
export function advisoryAgainst(
  judging: Judging,
  { name, version }: JudgedVersion,
  known: PackageAdvisories | undefined,
  nowMs: number,
): FoundAdvisory | undefined {
  if (known === undefined || !looksAtAdvisories(judging)) return undefined;
  const { registry, exceptions } = judging;
  const found = known.find(registry, name, version).filter(({ level }) => counts(judging, level));
  if (found.length === 0) return undefined;
  const excepted = new Set(
    exceptions
      .filter(
        ({ pattern, untilMs, advisories }) =>
          advisories !== undefined &&
          nowMs < untilMs &&
          namesPackage(pattern, name, unmeasured) &&
          inRange(pattern, version, registry, unmeasured) === true,
      )
      .flatMap(({ advisories = [] }) => advisories),
  );
  return found.filter((one) => !exceptableBy(one).some((id) => excepted.has(id))).toSorted(bySeverity)[0];
}

/** Other ids of malware may be those of something harmless, which somebody has let through. */
const exceptableBy = ({ ids, level }: FoundAdvisory): readonly string[] =>
  level === 'malware' ? ids.slice(0, 1) : ids;

const order: readonly AdvisoryLevel[] = ['malware', 'critical', 'high', 'unknown', 'moderate', 'low'];
const bySeverity = (a: FoundAdvisory, b: FoundAdvisory): number =>
  order.indexOf(a.level) - order.indexOf(b.level);

/** `is malware (MAL-2030-1)`, `is affected by GHSA-… (high)`. */
export function advisoryText({ ids, level }: FoundAdvisory): string {
  const [id = ''] = ids;
  if (level === 'malware') return `is malware (${id})`;
  return `is affected by ${id} (${level === 'unknown' ? 'of unknown severity' : level})`;
}

/** What either of them keeps back. */
export function bothKeepBack(
  a: KeepingBack | undefined,
  b: KeepingBack | undefined,
): KeepingBack | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const lowest = severities.find((one) => one === a.advisoriesFrom || one === b.advisoriesFrom);
  return { advisoriesFrom: lowest, deniesMalware: a.deniesMalware || b.deniesMalware };
}

/** Whether `inner` keeps back all that `outer` does. */
export function keepsBackAll(inner: KeepingBack, outer: KeepingBack): boolean {
  const levels: readonly AdvisoryLevel[] = ['unknown', ...severities, 'malware'];
  return levels.every((level) => !counts(outer, level) || counts(inner, level));
}
