// `git` of a rule as it is written, to what is matched.

import type { Report } from './yaml-source.ts';
import type { RefChange } from './git-commands.ts';
import { GitOptionPattern } from './git-option-pattern.ts';
import { GitPattern } from './git-pattern.ts';
import type { GitOperation } from './git-request.ts';
import type { GitCondition } from './git-condition.ts';
import type { RuleDocument } from './policy-schema.ts';

type GitDocument = NonNullable<RuleDocument['git']>;

const asArray = <T>(value: T | readonly T[]): readonly T[] =>
  // Array.isArray does not narrow a union with a readonly array; the runtime check is the proof.
  Array.isArray(value) ? (value as readonly T[]) : [value as T];

/** Problems go to `report`; the result is of use only if none was an error. */
export function compileGit(document: RuleDocument, report: Report): GitCondition | undefined {
  const { git } = document;
  if (git === undefined) return undefined;
  const isDeny = document.deny !== undefined;
  if (document.methods !== undefined) report(['methods'], '"git" says the methods already; remove "methods"');
  if (!isDeny && git.repository === undefined)
    report(
      ['git'],
      'the rule allows every repository of its hosts; write repository: [acme/app], or acme/**',
    );
  checkOperations(git, isDeny, report);
  if (!isDeny && git.operations === undefined)
    report(
      ['git'],
      '"operations" is not written, so the rule allows pushes beside fetches; write operations: fetch, or [fetch, push] if that is meant',
      'warning',
    );
  const changes = new Set<RefChange>(
    git.changes === undefined
      ? ['create', 'update', ...(isDeny ? (['delete'] as const) : [])]
      : asArray(git.changes),
  );
  // Who may change every ref in every way gains nothing by options.
  const isOpen = isDeny || (git.refs === undefined && changes.size === 3);
  return {
    repositories: patterns(git, 'repository', report),
    operations: new Set<GitOperation>(
      git.operations === undefined ? ['fetch', 'push'] : asArray(git.operations),
    ),
    refs: patterns(git, 'refs', report),
    changes,
    options: git.options === undefined && isOpen ? undefined : optionPatterns(git, isDeny, report),
  };
}

/** Refs are seen of a push only, so it has to be said what becomes of a fetch. */
function checkOperations(git: GitDocument, isDeny: boolean, report: Report): void {
  const operations = git.operations === undefined ? [] : asArray(git.operations);
  for (const key of ['refs', 'changes', 'options'] as const) {
    if (git[key] === undefined) continue;
    if (isDeny && (operations.length !== 1 || operations[0] !== 'push')) {
      report(['git', key], `"${key}" is seen of a push only; write operations: push`);
    } else if (!isDeny && !operations.includes('push')) {
      report(
        ['git', key],
        `"${key}" bounds a push and never a fetch; write operations: push, or operations: [fetch, push]`,
      );
    }
  }
}

/** Undefined: any option. */
function optionPatterns(
  { options = [] }: GitDocument,
  isDeny: boolean,
  report: Report,
): readonly GitOptionPattern[] | undefined {
  const found = asArray(options).flatMap((text, i) => {
    const pattern = GitOptionPattern.parse(text);
    if (typeof pattern !== 'string') return [pattern];
    report(Array.isArray(options) ? ['git', 'options', i] : ['git', 'options'], pattern);
    return [];
  });
  // In a rule that denies, any option is still one.
  return !isDeny && found.some(({ isAny }) => isAny) ? undefined : found;
}

function patterns(
  git: GitDocument,
  key: 'repository' | 'refs',
  report: Report,
): readonly GitPattern[] | undefined {
  const written = git[key];
  if (written === undefined) return undefined;
  return asArray(written).flatMap((text, i) => {
    const pattern = key === 'refs' ? GitPattern.parseRef(text) : GitPattern.parseRepository(text);
    if (typeof pattern !== 'string') return [pattern];
    report(Array.isArray(written) ? ['git', key, i] : ['git', key], pattern);
    return [];
  });
}
