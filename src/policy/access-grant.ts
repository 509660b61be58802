// What an operator granted for a time, and whether it covers a connection or a request.

import { pathFeatures, readingsFor, readPath } from '../http/path-reading.ts';
import type { AccessRequest, RequestAccess } from './decision.ts';
import { gitRequestsOf } from './git-request.ts';
import type { GitCondition } from './git-condition.ts';
import { gitMismatch } from './git-rule.ts';
import type { MatchingWork } from './matching-work.ts';
import type { Asking } from './rule.ts';

/** Pushes that a grant opens. */
export interface PushGrant {
  /** As the path names it, without `.git`. Never a pattern: a workload chose it. */
  readonly repository: string;
  readonly git: GitCondition;
}

/** A temporary permission for one destination: only what was asked for, as far as the operator went. */
export interface AccessGrant {
  readonly id: string;
  /** One session, or every session of a principal. */
  readonly subject: { readonly sessionId: string } | { readonly principalId: string };
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** Absent: every method. */
  readonly method?: string;
  /** Canonical. Absent: every path; `below`: whether it stands for what is below it too. */
  readonly path?: { readonly path: string; readonly below: boolean };
  /** Only pushes to one repository whose commands fit; method and path say nothing then. */
  readonly push?: PushGrant;
  readonly endsMs: number;
}

/** Whether the grant holds for this access at this time. A push that the work does not suffice for is not covered. */
export function grantCovers(
  grant: AccessGrant,
  access: AccessRequest,
  { principal, nowMs, work }: Asking,
): boolean {
  const { scheme, host, port } = access.destination;
  if (nowMs >= grant.endsMs || host !== grant.host || port !== grant.port || scheme !== grant.scheme)
    return false;
  const { subject } = grant;
  const isTheirs =
    'sessionId' in subject ? subject.sessionId === principal.sessionId : subject.principalId === principal.id;
  if (!isTheirs) return false;
  if (access.depth === 'connect') return true;
  if (grant.push !== undefined) return pushCovers(grant.push, access, work);
  if (grant.method !== undefined && grant.method !== access.method) return false;
  return grant.path === undefined || pathCovers(grant.path, access.path);
}

/** Until its commands are read a push to the repository is covered, as by a rule: `awaitsCommands` says that it is asked about again. */
function pushCovers({ repository, git }: PushGrant, access: RequestAccess, work: MatchingWork): boolean {
  if (work.isSpent || !isPushTo(repository, access)) return false;
  return gitMismatch(git, 'allow', access, work) === undefined && !work.isSpent;
}

/** To the letter: what servers could read in several ways, or is nearly smart HTTP, is none. */
function isPushTo(repository: string, access: RequestAccess): boolean {
  // No reading of the path but the literal one: another one is not smart HTTP, and a path may be long.
  return (
    access.path.startsWith(`/${repository}`) &&
    gitRequestsOf(access, []).some((asked) => asked.isSmart && asked.repository === repository)
  );
}

/** Of grants that do not cover an access, the one that would for other refs. */
export function otherRefsGrant(
  grants: readonly AccessGrant[],
  access: AccessRequest,
  asking: Asking,
): AccessGrant | undefined {
  if (access.depth === 'connect' || access.pushed === undefined) return undefined;
  const { pushed: _, ...unread } = access;
  return grants.find((one) => one.push !== undefined && grantCovers(one, unread, asking));
}

/** What may be read in several ways must be covered in all, as for rules. */
function pathCovers({ path, below }: NonNullable<AccessGrant['path']>, asked: string): boolean {
  if (asked === path) return true;
  if (!below || !isBelow(path, asked)) return false;
  return readingsFor(pathFeatures(asked)).every((reading) =>
    isBelow(readPath(path, reading), readPath(asked, reading)),
  );
}

function isBelow(path: string, asked: string): boolean {
  return asked.startsWith(path.endsWith('/') ? path : `${path}/`);
}
