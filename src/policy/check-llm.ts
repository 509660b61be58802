// Rules that let calls of models through beside a rule that counts them.

import type { RuleProblem } from './check-rules.ts';
import { formatHostPattern, hostsOverlap } from './host-pattern.ts';
import type { PathPattern } from './path-pattern.ts';
import type { Rule } from './rule.ts';
import { TouchingIndex } from './touching-index.ts';

/** Where services have what costs something. */
const billedPaths = [
  '/v1/chat/completions',
  '/v1/responses',
  '/v1/messages',
  '/v1/messages/batches',
  '/v1/batches',
  '/async-invoke',
];

/** The same where the model stands in the path: what comes before it, and what behind it. */
const billedAround: readonly Around[] = [
  ...['/v1beta/models/', '/v1/models/'].flatMap((before) =>
    [':generateContent', ':streamGenerateContent', ':batchGenerateContent'].map((behind) => ({
      before,
      behind,
    })),
  ),
  ...[
    '/converse',
    '/converse-stream',
    '/invoke',
    '/invoke-with-response-stream',
    '/invoke-with-bidirectional-stream',
  ].map((behind) => ({
    before: '/model/',
    behind,
  })),
];

/** How the paths of calls end wherever an API stands. */
const callEndings = [
  '/chat/completions',
  '/responses',
  '/messages',
  ...new Set(billedAround.map(({ behind }) => behind)),
];

interface Around {
  readonly before: string;
  readonly behind: string;
}

/**
 * Rules are alternatives: what the rule with the budget does not admit, another one would. So no other rule for its hosts may be for all
 * paths, or for those of calls.
 */
export function checkCounted(rules: readonly Rule[]): readonly RuleProblem[] {
  const counted = rules.filter(({ llm }) => llm?.budget !== undefined);
  if (counted.length === 0) return [];
  const index = new TouchingIndex(counted);
  return rules.flatMap((rule, i) => {
    if (!letsCallsThrough(rule)) return [];
    const where = {
      ports: rule.ports,
      selectors: rule.selectors.length === 0 ? undefined : [rule.selectors, []],
    };
    for (const host of rule.hosts) {
      const other = index.find(
        host,
        where,
        (one) => one !== rule && one.hosts.some((its) => hostsOverlap(host, its)) && maySkip(rule, one),
      );
      if (other === undefined) continue;
      const { name, place = 'unknown place' } = other.reference;
      const remedy =
        rule.llm === undefined ? 'name other paths in this one' : 'give it a budget, or name its models';
      const message = `this rule lets calls of models at ${formatHostPattern(host)} through, which the budget of "${name}" (${place}) would not count; ${remedy}`;
      return [{ index: i, message }];
    }
    return [];
  });
}

function letsCallsThrough({ effect, handling, methods, llm, git, mcp }: Rule): boolean {
  if (effect === 'deny' || git !== undefined || mcp !== undefined) return false;
  // Who names models means that they are not counted.
  if (llm !== undefined)
    return llm.budget === undefined && llm.models?.every((name) => !/^\*+$/.test(name)) !== true;
  return handling !== 'intercept' || methods === undefined || methods.has('POST');
}

/** Whether calls could take the paths of this rule instead of those of the rule that counts. In doubt they could. */
function maySkip({ handling, llm, paths }: Rule, counted: Rule): boolean {
  if (llm !== undefined || handling !== 'intercept' || paths === undefined) return true;
  const own = (counted.paths ?? []).flatMap(({ literalPrefix }) =>
    callEndings.map((behind) => ({ before: literalPrefix, behind })),
  );
  return paths.some(
    (path) =>
      billedPaths.some((billed) => path.matches(billed)) ||
      [...billedAround, ...own].some((around) => mayMeet(path, around)),
  );
}

function mayMeet({ shape, literalPrefix, parts }: PathPattern, { before, behind }: Around): boolean {
  if (shape === 'exact') return literalPrefix.startsWith(before) && literalPrefix.endsWith(behind);
  const last = parts.at(-1);
  const tail = last?.kind === 'literal' ? last.text : '';
  return (
    (literalPrefix.startsWith(before) || before.startsWith(literalPrefix)) &&
    (tail.endsWith(behind) || behind.endsWith(tail))
  );
}
