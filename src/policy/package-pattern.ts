// Packages as rules name them: `lodash`, `@acme/*`, `lodash@<4.17.21`, `react@>=18.2 <19 || =17.0.2`.

import type { PackageRegistry } from '../understand/packages/package-request.ts';
import { nameIn } from '../understand/packages/read-package.ts';
import { versionOrders } from '../understand/packages/version-order.ts';
import type { MatchingWork } from './matching-work.ts';
import { matchesSegment, patternLengthMax } from './star-pattern.ts';

type Operator = '=' | '<' | '<=' | '>' | '>=';

interface Comparator {
  readonly operator: Operator;
  readonly version: string;
}

/** Plain data. */
export interface PackagePattern {
  /** As it is written. */
  readonly source: string;
  /** In the registry's form of names; `*` is any text. */
  readonly name: string;
  /** As a rule that denies compares it. */
  readonly folded: string;
  /** One of these lists has to hold in all of its parts. Undefined: every version. */
  readonly range: readonly (readonly Comparator[])[] | undefined;
}

const comparatorsMax = 64;
const operators: ReadonlySet<string> = new Set(['=', '<', '<=', '>', '>=']);

/** The pattern, or what is wrong with it. */
export function parsePackagePattern(source: string, registry: PackageRegistry): PackagePattern | string {
  if (source.length > patternLengthMax)
    return `a pattern is at most ${String(patternLengthMax)} characters long`;
  const at = source.lastIndexOf('@');
  const written = at > 0 ? source.slice(0, at) : source;
  const name = nameIn(registry, written.trim());
  if (name === '' || /\s/.test(name)) return `${JSON.stringify(source)} names no package`;
  const folded = name.toLowerCase();
  if (at <= 0) return { source, name, folded, range: undefined };
  if (registry === 'oci')
    return `a tag names another image tomorrow; write the name alone, such as ${written}`;
  const range = parseRange(source.slice(at + 1), registry);
  return typeof range === 'string' ? range : { source, name, folded, range };
}

function parseRange(source: string, registry: PackageRegistry): readonly (readonly Comparator[])[] | string {
  const alternatives: Comparator[][] = [];
  let count = 0;
  for (const part of source.split('||')) {
    const tokens = part
      .replaceAll(/([<>=]=?)\s*/g, ' $1')
      .split(/[\s,]+/)
      .filter((one) => one !== '');
    const comparators: Comparator[] = [];
    for (const token of tokens) {
      const [, sign = '', version = ''] = /^([<>=]{0,2})([^<>=]*)$/.exec(token) ?? [];
      const operator = sign === '' || sign === '==' ? '=' : sign;
      if (!isOperator(operator))
        return `${JSON.stringify(token)} is no range; write =, <, <=, > or >= before a version`;
      if (!versionOrders[registry].isVersion(version)) return versionProblem(token, version, registry);
      comparators.push({ operator, version });
      count += 1;
    }
    if (comparators.length === 0)
      return 'a range is empty; write a version such as 1.2.3, or leave the @ out';
    alternatives.push(comparators);
  }
  if (count > comparatorsMax) return `a range has at most ${String(comparatorsMax)} versions`;
  return alternatives;
}

const isOperator = (text: string): text is Operator => operators.has(text);

function versionProblem(token: string, version: string, registry: PackageRegistry): string {
  const shown = JSON.stringify(version === '' ? token : version);
  const isSemver = registry === 'npm' || registry === 'cargo' || registry === 'go';
  const example = registry === 'go' ? 'v1.2.0' : '1.2.0';
  return isSemver
    ? `${shown} is not a whole version; write three numbers, such as ${example}, and a range as >=${example} <${example.replace('1.2', '2.0')}`
    : `${shown} is not a version of ${registry}; write =, <, <=, > or >= before one`;
}

/** Whether the name is meant; its version may not be. `anyCase`: as in a rule that denies. */
export function namesPackage(
  { name, folded }: PackagePattern,
  given: string,
  work: MatchingWork,
  anyCase = false,
): boolean {
  // Lists of thousands of names are usual; to see that two texts differ costs next to nothing.
  if (!name.includes('*')) {
    if (!work.spend(stepsPerName)) return false;
    return anyCase ? folded.length === given.length && folded === given.toLowerCase() : name === given;
  }
  if (!work.spend(1 + given.length / charactersPerStep)) return false;
  return anyCase ? matchesSegment(folded, given.toLowerCase(), work) : matchesSegment(name, given, work);
}

const charactersPerStep = 8;
const stepsPerName = 1 / 16;
const stepsPerComparison = 4;

/** Whether the version is in the range. Undefined: nobody can tell, for the registry has no such version. */
export function inRange(
  { range }: PackagePattern,
  version: string,
  registry: PackageRegistry,
  work: MatchingWork,
): boolean | undefined {
  if (range === undefined) return true;
  const { isVersion, compare } = versionOrders[registry];
  if (!isVersion(version)) return undefined;
  return range.some((comparators) =>
    comparators.every((one) => {
      if (!work.spend(stepsPerComparison)) return false;
      const order = compare(ofRange(version, one, registry), one.version);
      return order !== undefined && holds(one.operator, order);
    }),
  );
}

/** As PEP 440 has it: 2.0.0+cu118 is a build of 2.0.0, and is meant where the range says nothing of builds. */
function ofRange(
  version: string,
  { operator, version: named }: Comparator,
  registry: PackageRegistry,
): string {
  if (registry !== 'pypi' || operator === '<' || named.includes('+')) return version;
  return version.split('+', 1)[0] ?? version;
}

function holds(operator: Operator, order: number): boolean {
  switch (operator) {
    case '=':
      return order === 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}
