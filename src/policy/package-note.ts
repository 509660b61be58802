// Why rules about packages do not let a request through, for denials and explanations.

import { UnreadablePackage } from '../understand/packages/package-request.ts';
import type { AccessRequest } from './decision.ts';
import {
  advisoryProblem,
  ageProblem,
  packageProblem,
  packagesText,
  provenanceProblem,
} from './package-text.ts';
import { type PackageMismatch, packageOf } from './package-rule.ts';
import type { Mismatch, Rule } from './rule.ts';

type Misses = readonly { readonly rule: Rule; readonly mismatch: Mismatch | undefined }[];

/** What the workload can do about it, of the rule that came closest. */
export function packageRemedy(misses: Misses, access: AccessRequest, nowMs: number): string | undefined {
  const ruleWith = (kind: Mismatch): Rule | undefined =>
    misses.find(({ mismatch }) => mismatch === kind)?.rule;
  const advised = ruleWith('advisory');
  if (advised?.packages !== undefined)
    return `The rule ${advised.reference.name} keeps it back: ${advisoryProblem(advised.packages, access, nowMs)}.`;
  const young = ruleWith('age');
  if (young?.packages !== undefined)
    return `The rule ${young.reference.name} waits: ${ageProblem(young.packages, access)}.`;
  const unattested = ruleWith('provenance');
  if (unattested?.packages !== undefined)
    return `The rule ${unattested.reference.name} requires provenance: ${provenanceProblem(unattested.packages, access)}.`;
  const named = misses.filter(({ mismatch }) => mismatch === 'packages').map(({ rule }) => rule);
  // A rule about publishing says nothing of what is fetched, nor the other way round.
  const isPublished = (rule: Rule): boolean => {
    const { packages } = rule;
    if (packages === undefined || access.depth === 'connect') return false;
    const read = packageOf(access, packages);
    return !(read instanceof UnreadablePackage) && read.use === 'publish';
  };
  const fetching =
    named.find((rule) => isPublished(rule) === (rule.packages?.publish !== undefined)) ?? named[0];
  if (fetching?.packages === undefined) return undefined;
  return `The rule ${fetching.reference.name} does not: ${packageProblem(fetching.packages, access)}.`;
}

/** Why the rule does not match, behind its name. */
export function packageNote(
  { packages, effect }: Rule,
  mismatch: PackageMismatch,
  access: AccessRequest,
  nowMs: number,
): string {
  if (packages === undefined) return 'is about packages';
  if (mismatch === 'unread-publication') return `looks at what is published (${packagesText(packages)})`;
  if (mismatch === 'advisory') return `keeps it back: ${advisoryProblem(packages, access, nowMs)}`;
  if (mismatch === 'age') return `waits: ${ageProblem(packages, access)}`;
  if (mismatch === 'provenance') return `requires provenance: ${provenanceProblem(packages, access)}`;
  return effect === 'deny'
    ? `is for other packages (${packagesText(packages)})`
    : `does not allow it: ${packageProblem(packages, access)}`;
}
