// How each registry orders versions.

import SemVer from 'semver/classes/semver.js';
import compareSemver from 'semver/functions/compare.js';
import validSemver from 'semver/functions/valid.js';
import { compareMaven, isMavenVersion, readMaven } from './maven-order.ts';
import type { PackageRegistry } from './package-request.ts';
import { comparePep440, isPep440, readPep440 } from './pep440-order.ts';
import { compareRubygems, isRubygemsVersion, readRubygems } from './rubygems-order.ts';

export interface VersionOrder {
  /** Whether the registry can have a version of this name. */
  isVersion(text: string): boolean;
  /** Below 0: `a` is the earlier one. Undefined: one of them is none. */
  compare(a: string, b: string): number | undefined;
  /** The same for versions alone; what it has read once it keeps, so it is for one list of them. */
  comparer(): (a: string, b: string) => number;
}

/** Versions that exist are shorter; the work of a comparison does not grow beyond it. */
const versionLengthMax = 128;

const semverForm = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;
const isSemver = (text: string): boolean => semverForm.test(text) && validSemver(text) !== null;
const isGoVersion = (text: string): boolean => text.startsWith('v') && isSemver(text.slice(1));

function orderOf<Read>(
  isVersion: (text: string) => boolean,
  read: (text: string) => Read,
  compareRead: (a: Read, b: Read) => number,
): VersionOrder {
  const compare = (a: string, b: string): number => compareRead(read(a), read(b));
  const is = (text: string): boolean => text.length <= versionLengthMax && isVersion(text);
  return {
    isVersion: is,
    compare: (a, b) => (is(a) && is(b) ? compare(a, b) : undefined),
    comparer: () => {
      const kept = new Map<string, Read>();
      const readOnce = (text: string): Read => {
        const known = kept.get(text);
        if (known !== undefined) return known;
        const one = read(text);
        kept.set(text, one);
        return one;
      };
      return (a, b) => compareRead(readOnce(a), readOnce(b));
    },
  };
}

const semver = orderOf(isSemver, (text) => new SemVer(text), compareSemver);

export const versionOrders: Readonly<Record<PackageRegistry, VersionOrder>> = {
  npm: semver,
  cargo: semver,
  go: orderOf(isGoVersion, (text) => new SemVer(text.slice(1)), compareSemver),
  pypi: orderOf(isPep440, readPep440, comparePep440),
  maven: orderOf(isMavenVersion, readMaven, compareMaven),
  rubygems: orderOf(isRubygemsVersion, readRubygems, compareRubygems),
  // Tags are in no order: the same one names another image tomorrow.
  oci: { isVersion: () => true, compare: (a, b) => (a === b ? 0 : undefined), comparer: () => () => 0 },
};
