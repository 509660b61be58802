// `git` of a rule, compiled: what it is for, as text, and whether one is for all that another is for.

import type { RefChange } from './git-commands.ts';
import type { GitOptionPattern } from './git-option-pattern.ts';
import type { GitPattern } from './git-pattern.ts';
import type { GitOperation } from './git-request.ts';

/** Absent conditions are undefined. */
export interface GitCondition {
  readonly repositories: readonly GitPattern[] | undefined;
  readonly operations: ReadonlySet<GitOperation>;
  readonly refs: readonly GitPattern[] | undefined;
  /** All of them by default in a rule that denies; without `delete` in one that allows. */
  readonly changes: ReadonlySet<RefChange>;
  /** Undefined: any, as by default in a rule that denies, and in one that allows every change of every ref; else none. */
  readonly options: readonly GitOptionPattern[] | undefined;
}

type Effect = 'allow' | 'deny';

export const refChanges: readonly RefChange[] = ['create', 'update', 'delete'];

/** What is written, for people. */
export function gitText({ repositories, operations, refs, changes, options }: GitCondition): string {
  const list = (values: Iterable<string>): string => [...values].join(', ');
  const parts = [list(operations)];
  if (repositories !== undefined) parts.push(`repository ${list(repositories.map(({ source }) => source))}`);
  if (operations.has('push')) {
    if (refs !== undefined) parts.push(`refs ${list(refs.map(({ source }) => source))}`);
    // Said either way: a rule that allows has no deletions where nothing is written.
    parts.push(changes.size < refChanges.length ? `changes ${list(changes)}` : 'any change');
    const isBound = refs !== undefined || changes.size < refChanges.length;
    if (options === undefined && isBound) parts.push('any option');
    else if (options !== undefined && options.length > 0)
      parts.push(`options ${list(options.map(({ source }) => source))}`);
  }
  return parts.join('; ');
}

/** What a rule says of git, and whether it allows or denies that. */
interface GitRule {
  readonly git: GitCondition | undefined;
  readonly effect: Effect;
}

/** Whether everything that `inner` matches is known to be matched by `outer`. */
export function gitCovers({ git: outer, effect }: GitRule, { git: inner, ...other }: GitRule): boolean {
  if (outer === undefined) return true;
  // Repositories first: thousands of rules differ in them, and each is compared with each.
  if (inner === undefined || !patternsCover(outer.repositories, inner.repositories)) return false;
  if (!inner.operations.isSubsetOf(outer.operations)) return false;
  if (!inner.operations.has('push')) return true;
  return (
    inner.changes.isSubsetOf(outer.changes) &&
    patternsCover(outer.refs, inner.refs) &&
    // A rule that denies is for pushes that have such an option, one that allows for those that have no other.
    (effect === 'allow' || outer.options === undefined || other.effect === 'deny') &&
    patternsCover(outer.options, inner.options)
  );
}

function patternsCover<T extends { covers(inner: T): boolean }>(
  outer: readonly T[] | undefined,
  inner: readonly T[] | undefined,
): boolean {
  if (outer === undefined) return true;
  return inner?.every((one) => outer.some((other) => other.covers(one))) === true;
}
