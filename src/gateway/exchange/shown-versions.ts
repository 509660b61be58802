// Which versions of a list are shown, and why the others are not.

import type { DecidedPackage, Policy, Principal, RequestAccess } from '../../policy/decision.ts';
import { sourceOf } from '../../policy/known-package.ts';
import { advisoryAgainst, advisoryText } from '../../policy/package-advisories.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { FoundAdvisory } from '../../understand/packages/advisory.ts';
import type { ListedVersion, ShownVersions } from '../../understand/packages/listed-versions.ts';
import type { VersionTimes } from '../packages/publish-times.ts';

interface ShownScene {
  readonly access: RequestAccess;
  readonly principal: Principal;
  readonly policy: () => Policy;
  readonly clock: () => number;
  readonly asked: DecidedPackage;
}

/** What is known of the versions of a list. */
interface KnownVersions {
  readonly times: VersionTimes;
  /** Of which attestations are named. */
  readonly attested: ReadonlySet<string> | undefined;
}

/** Whether its archive could be fetched: the policy itself is asked, so that it is asked by all of its rules. */
export function isShown(
  { version, file }: ListedVersion,
  { times, attested }: KnownVersions,
  { access, principal, policy, clock, asked: { registry, root } }: ShownScene,
): boolean {
  const source = sourceOf({ registry, root }, access.destination);
  const timeOf = (one: string): number | undefined => times.get(one);
  const asked: RequestAccess = {
    ...access,
    package: { source, version, ...(file === undefined ? {} : { file }), timeOf },
    provenance: {
      source,
      of: (one) =>
        attested?.has(one) === true ? { kind: 'told' } : { kind: 'none', why: 'has no provenance' },
    },
  };
  return policy().decide(principal, asked, clock()).effect === 'allow';
}

export const keyOf = ({ version, file }: ListedVersion): string => file ?? version;

/** Why it is left out, where the registry has a place to say it. */
export function whyHidden(
  one: ListedVersion,
  { times, attested }: KnownVersions,
  { asked, access, clock }: Pick<ShownScene, 'asked' | 'access' | 'clock'>,
): string {
  const found = advisoryOf(one.version, asked, access, clock());
  if (found !== undefined) return `upstreamproxy: ${advisoryText(found)}`;
  if (isUnattested(one, attested, asked)) return 'upstreamproxy: it has no provenance';
  const { minAgeMs = 0 } = asked;
  const published = times.get(keyOf(one));
  const untilMs = published === undefined ? undefined : published + minAgeMs;
  return untilMs === undefined || minAgeMs === 0
    ? 'upstreamproxy: not allowed'
    : `upstreamproxy: not allowed before ${new Date(untilMs).toISOString().slice(0, 16)}Z`;
}

/** What keeps a version back. */
export function advisoryOf(
  version: string,
  { registry, name, keepsBack }: DecidedPackage,
  { advisories }: RequestAccess,
  nowMs: number,
): FoundAdvisory | undefined {
  if (keepsBack === undefined) return undefined;
  const judging = { registry, exceptions: [], ...keepsBack };
  return advisoryAgainst(judging, { name, version }, advisories, nowMs);
}

export function nothingLeft(
  { asked, access, clock }: ShownScene,
  result: ShownVersions,
  { times, attested }: KnownVersions,
): ProxyError {
  const { name, minAgeMs = 0 } = asked;
  const known = result.hidden.filter((one) => times.has(keyOf(one))).length;
  const newest = result.hidden.at(-1);
  const found = newest === undefined ? undefined : advisoryOf(newest.version, asked, access, clock());
  const young =
    minAgeMs > 0 && known === 0
      ? 'the registry does not say when they came out'
      : 'none of them is allowed, or none is old enough';
  const unattested =
    newest !== undefined && isUnattested(newest, attested, asked)
      ? `${newest.version} has no provenance`
      : young;
  const why =
    newest === undefined || found === undefined ? unattested : `${newest.version} ${advisoryText(found)}`;
  return new ProxyError(
    'policy_denied',
    `all ${String(result.hidden.length)} versions of ${name} are kept back: ${why}`,
  );
}

/** Rules want attestations, and the list names none of it. */
const isUnattested = (
  one: ListedVersion,
  attested: ReadonlySet<string> | undefined,
  { wantsProvenance }: DecidedPackage,
): boolean => wantsProvenance === true && attested?.has(keyOf(one)) !== true;
