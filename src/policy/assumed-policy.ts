// A policy for requests of which not everything is known: as open, and as closed, as the missing facts could make it.
// Where both decide alike, the missing facts do not matter.

import type { Steps } from './compare-reach.ts';
import { CompiledPolicy, type PolicyFile, RulesByHost } from './compiled-policy.ts';
import { looksAtAdvisories } from './package-advisories.ts';
import type { Rule } from './rule.ts';

/** What is known beside method, destination, path and time. */
export interface KnownFacts {
  /** Claims and posture of the session. */
  readonly session: boolean;
  readonly headers: boolean;
}

/** Which way every fact that is missing is taken to have been. */
export type Assumption = 'open' | 'closed';

/** The policy itself if no rule asks for what is not known. In steps, for a thread that serves meanwhile. */
export function* assumeSteps(
  policy: CompiledPolicy,
  known: KnownFacts,
  assumption: Assumption,
): Steps<CompiledPolicy> {
  const rules = policy.rules.map((rule) => assumeRule(rule, known, assumption));
  const files = known.session ? policy.files : assumeFiles(policy.files, assumption);
  if (files === policy.files && rules.every((rule, i) => rule === policy.rules[i])) return policy;
  const index = new RulesByHost();
  for (const rule of rules) {
    index.add(rule);
    yield 4 * (1 + rule.hosts.length + (rule.paths?.length ?? 0));
  }
  return new CompiledPolicy({ version: policy.version, rules, files, index });
}

function assumeRule(written: Rule, known: KnownFacts, assumption: Assumption): Rule {
  const rule = assumeAges(written, assumption);
  const isWhenOpen = rule.when !== undefined && !(known.session && (known.headers || !rule.when.usesHeaders));
  // Of what is recorded no body is known.
  const looksAtBody =
    rule.mcp !== undefined ||
    rule.graphql !== undefined ||
    rule.llm !== undefined ||
    rule.when?.usesBody === true;
  const isForOpen = !known.session && (rule.selectors.length > 0 || rule.require.length > 0);
  if (!isWhenOpen && !isForOpen && !looksAtBody) return rule;
  const isOn = (rule.effect === 'allow') === (assumption === 'open');
  // A rule that expired at the beginning of time does not match.
  if (!isOn) return { ...rule, expiresMs: 0 };
  return {
    ...rule,
    ...(isForOpen ? { selectors: [], require: [] } : {}),
    ...(looksAtBody ? { mcp: undefined, graphql: undefined, llm: undefined } : {}),
    ...((isWhenOpen || looksAtBody) && rule.when !== undefined
      ? { when: { ...rule.when, guard: undefined, usesBody: false, evaluate: () => true } }
      : {}),
  };
}

/** Nobody recorded what a registry said of a version. */
function assumeAges(rule: Rule, assumption: Assumption): Rule {
  const { packages } = rule;
  if (packages === undefined) return rule;
  // Without an index nothing is let through by a rule that looks into it.
  const isOpen = assumption === 'open';
  const isUnjudged = isOpen && looksAtAdvisories(packages);
  if (packages.minAgeMs === 0 && packages.provenance === undefined && !isUnjudged) return rule;
  const { provenance: _provenance, ...others } = packages;
  return {
    ...rule,
    packages: isOpen
      ? { ...others, minAgeMs: 0, advisoriesFrom: undefined, deniesMalware: false }
      : { ...packages, isEachTooYoung: true },
  };
}

/** Default deny is loosened only if every file that is for the session observes. */
function assumeFiles(files: readonly PolicyFile[], assumption: Assumption): readonly PolicyFile[] {
  if (files.every(({ selectors }) => selectors.length === 0)) return files;
  // A file that may be for the session counts where that serves the assumption; the others always count.
  return files
    .filter(
      ({ mode, selectors }) => selectors.length === 0 || (mode === 'observe') === (assumption === 'open'),
    )
    .map(({ file, mode }) => ({ file, mode, selectors: [] }));
}
