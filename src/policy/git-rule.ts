// `git` of a rule: repositories, operations, and which refs a push may change how.

import type { AccessRequest, RequestAccess } from './decision.ts';
import type { RefChange, RefUpdate } from './git-commands.ts';
import { anyCaseSegments, type GitPattern } from './git-pattern.ts';
import { type MatchingWork, unmeasured } from './matching-work.ts';
import { type GitOperation, type GitRequest, gitRequestsOf } from './git-request.ts';
import { readingsOf } from './path-matching.ts';

/** Absent conditions are undefined. */
export interface GitCondition {
  readonly repositories: readonly GitPattern[] | undefined;
  readonly operations: ReadonlySet<GitOperation>;
  readonly refs: readonly GitPattern[] | undefined;
  /** All of them by default in a rule that denies; without `delete` in one that allows. */
  readonly changes: ReadonlySet<RefChange>;
}

/** `unread`: the rule looks at the commands of a push, which are not there yet. */
export type GitMismatch = 'git' | 'refs' | 'unread';

type Effect = 'allow' | 'deny';

const refChanges: readonly RefChange[] = ['create', 'update', 'delete'];

/** Whether the commands of a push decide. */
function looksAtCommands({ refs, changes }: GitCondition): boolean {
  return refs !== undefined || changes.size < refChanges.length;
}

/**
 * A rule that allows takes what is smart HTTP to the letter, and a push only if every one of its commands fits; until they
 * are read it matches, and `awaitsCommands` says that it has to be asked again. One that denies takes everything that a
 * server could take for git, names in any case, and a push of which one command fits.
 */
export function gitMismatch(
  git: GitCondition,
  effect: Effect,
  access: RequestAccess,
  work: MatchingWork = unmeasured,
): GitMismatch | undefined {
  const asked = askedOf(access, work).filter((one) => concerns(git, effect, one, work));
  if (asked.length === 0) return 'git';
  if (!looksAtCommands(git)) return undefined;
  const { pushed } = access;
  const carriesCommands = asked.some(({ request }) => request.carriesCommands);
  if (effect === 'allow') {
    if (!carriesCommands || pushed === undefined) return undefined;
    return pushed.every((update) => fits(git, effect, update, work)) ? undefined : 'refs';
  }
  if (!carriesCommands) return 'git';
  if (pushed === undefined) return 'unread';
  return pushed.some((update) => fits(git, effect, update, work)) ? undefined : 'refs';
}

/** Whether a rule that allows did so without having seen what it looks at. */
export function awaitsCommands(git: GitCondition | undefined, access: AccessRequest): boolean {
  if (git === undefined || access.depth === 'connect' || access.pushed !== undefined) return false;
  return looksAtCommands(git) && askedOf(access, unmeasured).some(({ request }) => request.carriesCommands);
}

/** What is asked of git, and the segments of its repository, as they are and for servers that ignore case. */
interface Asked {
  readonly request: GitRequest;
  readonly segments: readonly string[];
  readonly anyCase: readonly string[];
}

/** Of requests that are decided; many rules ask for the same ones, and a path may be long. */
const known = new WeakMap<RequestAccess, readonly Asked[]>();

/** More than one where servers could read the path in more than one way. */
function askedOf(access: RequestAccess, work: MatchingWork): readonly Asked[] {
  let found = known.get(access);
  if (found === undefined) {
    const readings = work.isSpent ? [] : readingsOf(access).texts(work);
    // What was not read to its end is not kept.
    if (work.isSpent) return [];
    found = gitRequestsOf(access, readings).map((request) => ({
      request,
      segments: request.repository.split('/'),
      anyCase: anyCaseSegments(request.repository),
    }));
    known.set(access, found);
  }
  return found;
}

function concerns(
  { repositories, operations }: GitCondition,
  effect: Effect,
  { request, segments, anyCase }: Asked,
  work: MatchingWork,
): boolean {
  if (effect === 'allow' && !request.isSmart) return false;
  if (!request.operations.some((one) => operations.has(one))) return false;
  if (repositories === undefined) return true;
  return repositories.some((one) =>
    effect === 'allow' ? one.matchesSegments(segments, work) : one.matchesAnyCaseSegments(anyCase, work),
  );
}

function fits(
  { refs, changes }: GitCondition,
  effect: Effect,
  { ref, change }: RefUpdate,
  work: MatchingWork,
): boolean {
  if (!work.spend(1) || !changes.has(change)) return false;
  if (refs === undefined) return true;
  return refs.some((one) => (effect === 'allow' ? one.matches(ref, work) : one.matchesAnyCase(ref, work)));
}

/** What is written, for people. */
export function gitText({ repositories, operations, refs, changes }: GitCondition): string {
  const list = (values: Iterable<string>): string => [...values].join(', ');
  const parts = [list(operations)];
  if (repositories !== undefined) parts.push(`repository ${list(repositories.map(({ source }) => source))}`);
  if (operations.has('push')) {
    if (refs !== undefined) parts.push(`refs ${list(refs.map(({ source }) => source))}`);
    // Said either way: a rule that allows has no deletions where nothing is written.
    parts.push(changes.size < refChanges.length ? `changes ${list(changes)}` : 'any change');
  }
  return parts.join('; ');
}

/** Whether everything that `inner` matches is known to be matched by `outer`. */
export function gitCovers(outer: GitCondition | undefined, inner: GitCondition | undefined): boolean {
  if (outer === undefined) return true;
  // Repositories first: thousands of rules differ in them, and each is compared with each.
  if (inner === undefined || !patternsCover(outer.repositories, inner.repositories)) return false;
  if (!inner.operations.isSubsetOf(outer.operations)) return false;
  if (!inner.operations.has('push')) return true;
  return inner.changes.isSubsetOf(outer.changes) && patternsCover(outer.refs, inner.refs);
}

function patternsCover(
  outer: readonly GitPattern[] | undefined,
  inner: readonly GitPattern[] | undefined,
): boolean {
  if (outer === undefined) return true;
  return inner?.every((one) => outer.some((other) => other.covers(one))) === true;
}

/** `refs/heads/main, refs/tags/v1 (delete)` */
export function updatesText(updates: readonly RefUpdate[]): string {
  const shown = updates
    .slice(0, 8)
    .map(({ ref, change }) => (change === 'update' ? ref : `${ref} (${change})`));
  return updates.length > shown.length ? `${shown.join(', ')} …` : shown.join(', ');
}
