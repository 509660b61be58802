// A rule as plain data, so that a thread which read and checked it can hand it over; what is compiled, is compiled again.

import type { CompileCondition } from './condition.ts';
import { GitOptionPattern } from './git-option-pattern.ts';
import { GitPattern } from './git-pattern.ts';
import type { GitCondition } from './git-condition.ts';
import { PathPattern } from './path-pattern.ts';
import type { Rule } from './rule.ts';

type PlainGit = Omit<GitCondition, 'repositories' | 'refs' | 'options'> & {
  readonly repositories: readonly string[] | undefined;
  readonly refs: readonly string[] | undefined;
  readonly options: readonly string[] | undefined;
};

/** A rule of which structured cloning keeps everything. */
export type PlainRule = Omit<Rule, 'paths' | 'git' | 'when'> & {
  readonly paths: readonly string[] | undefined;
  readonly git: PlainGit | undefined;
  readonly when: string | undefined;
};

export function toPlain(rule: Rule): PlainRule {
  const { paths, git, when } = rule;
  return {
    ...rule,
    paths: paths?.map(({ source }) => source),
    git:
      git === undefined
        ? undefined
        : {
            ...git,
            repositories: git.repositories?.map(({ source }) => source),
            refs: git.refs?.map(({ source }) => source),
            options: git.options?.map(({ source }) => source),
          },
    when: when?.source,
  };
}

/** The rule that `toPlain` was given. Throws if a pattern or a condition is none, which `toPlain` never gives. */
export function fromPlain(plain: PlainRule, compile: CompileCondition): Rule {
  const { paths, git, when } = plain;
  return {
    ...plain,
    paths: paths?.map((source) => compiled(PathPattern.parse(source))),
    git:
      git === undefined
        ? undefined
        : {
            ...git,
            repositories: git.repositories?.map((source) => compiled(GitPattern.parseRepository(source))),
            refs: git.refs?.map((source) => compiled(GitPattern.parseRef(source))),
            options: git.options?.map((source) => compiled(GitOptionPattern.parse(source))),
          },
    when: when === undefined ? undefined : compiled(compile(when)),
  };
}

function compiled<T extends object>(result: T | string): T {
  if (typeof result === 'string') throw new TypeError(result);
  return result;
}

/** How much there is to compile and to index, in parts such as a host or a path. */
export function weightOf({
  hosts,
  paths,
  git,
  mcp,
  graphql,
  llm,
  packages,
  ports,
  methods,
  when,
}: PlainRule): number {
  const ofMcp = [mcp?.tools, mcp?.resources, mcp?.prompts, mcp?.methods];
  const ofGraphql = [graphql?.queries, graphql?.mutations, graphql?.subscriptions, graphql?.persisted];
  const ofLlm = [llm?.models, llm?.tools, llm?.unbounded];
  const ofPackages = [packages?.allow, packages?.deny, packages?.exceptions];
  const lists = [
    hosts,
    paths,
    git?.repositories,
    git?.refs,
    git?.options,
    ...ofMcp,
    ...ofGraphql,
    ...ofLlm,
    ...ofPackages,
  ];
  const written = lists.reduce((sum, list) => sum + (list?.length ?? 0), 1);
  // A condition is some twenty times the work of a path.
  return written + (ports?.size ?? 0) + (methods?.size ?? 0) + (when === undefined ? 0 : 20);
}
