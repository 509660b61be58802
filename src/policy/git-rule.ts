// `git` of a rule: repositories, operations, and which refs a push may change how.

import type { AccessRequest, RequestAccess } from './decision.ts';
import type { RefUpdate } from './git-commands.ts';
import { type GitCondition, refChanges } from './git-condition.ts';
import { anyCaseSegments } from './git-pattern.ts';
import { type MatchingWork, unmeasured } from './matching-work.ts';
import { type GitRequest, gitRequestsOf } from './git-request.ts';
import { readingsOf } from './path-matching.ts';

/** `unread`: the rule looks at the commands of a push, which are not there yet. */
export type GitMismatch = 'git' | 'refs' | 'options' | 'unread';

type Effect = 'allow' | 'deny';

/** Whether the commands of a push decide. */
function looksAtCommands({ refs, changes, options }: GitCondition): boolean {
  return refs !== undefined || changes.size < refChanges.length || options !== undefined;
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
    if (!pushed.every((update) => fits(git, effect, update, work))) return 'refs';
    const isBound = (option: string): boolean => fitsOption(git, effect, option, work);
    return (access.pushOptions ?? []).every(isBound) ? undefined : 'options';
  }
  if (!carriesCommands) return 'git';
  if (pushed === undefined) return 'unread';
  if (!pushed.some((update) => fits(git, effect, update, work))) return 'refs';
  if (git.options === undefined) return undefined;
  const isMeant = (option: string): boolean => fitsOption(git, effect, option, work);
  return (access.pushOptions ?? []).some(isMeant) ? undefined : 'options';
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

function fitsOption({ options }: GitCondition, effect: Effect, option: string, work: MatchingWork): boolean {
  if (options === undefined) return true;
  return options.some((one) =>
    effect === 'allow' ? one.matches(option, work) : one.matchesAnyCase(option, work),
  );
}

/** `ci.skip, merge_request.create`; a workload wrote them. */
export function optionsText(options: readonly string[]): string {
  const shown = options.slice(0, 8).map((one) => (one.length > 100 ? `${one.slice(0, 100)}…` : one));
  return options.length > shown.length ? `${shown.join(', ')} …` : shown.join(', ');
}

/** `refs/heads/main, refs/tags/v1 (delete)` */
export function updatesText(updates: readonly RefUpdate[]): string {
  const shown = updates
    .slice(0, 8)
    .map(({ ref, change }) => (change === 'update' ? ref : `${ref} (${change})`));
  return updates.length > shown.length ? `${shown.join(', ')} …` : shown.join(', ');
}
