// Paths that were seen, as a pattern that stands for their like: ids, hashes, UUIDs and versions become named segments.

import { unmeasured } from '../../policy/matching-work.ts';
import { PathReadings, pathsMatch } from '../../policy/path-matching.ts';
import { PathPattern } from '../../policy/path-pattern.ts';
import { segmentKind } from './segment-kind.ts';

/** `v1` and `2` at the beginning name a version of an interface, which is meant. */
const firstSegmentKept = /^v?\d{1,2}$/;

/** The pattern for one path; `undefined` if none can be written, and any path has to do. */
export function pathTemplate(path: string): string | undefined {
  return [templateOf(path), literalPattern(path), beginningOf(path)].find(
    (pattern) => pattern !== undefined && admits(pattern, path),
  );
}

/** The path itself as a pattern. */
export function literalPattern(path: string): string {
  return path.replaceAll(/[\\{}()*:?+]/g, (char) => (char === '+' ? char : `\\${char}`));
}

/** Of a path that is too long for a pattern: how it begins, and anything behind. */
function beginningOf(path: string): string {
  let end = Math.min(path.length, beginningMax);
  // Neither half an escape nor half a letter stands at the end.
  for (
    let sign = path.lastIndexOf('%', end - 1);
    sign >= 0 && end - sign <= 3;
    sign = path.lastIndexOf('%', end - 1)
  )
    end = sign;
  return `${literalPattern(path.slice(0, end))}*`;
}

function templateOf(path: string): string {
  const names = new Map<string, number>();
  const named = (name: string): string => {
    const count = (names.get(name) ?? 0) + 1;
    names.set(name, count);
    return `:${name}${count === 1 ? '' : count}`;
  };
  return path
    .split('/')
    .map((segment, i) => {
      if (i === 1 && firstSegmentKept.test(segment)) return literalPattern(segment);
      const kind = segmentKind(segment);
      return kind === undefined ? literalPattern(segment) : named(kind);
    })
    .join('/');
}

/** Escaped, twice as long at most: below what a pattern may have. */
const beginningMax = 200;

/** Whether a rule with this pattern would allow the path, in every reading that it has. */
export function admits(pattern: string, path: string): boolean {
  const parsed = PathPattern.parse(pattern);
  return typeof parsed !== 'string' && pathsMatch('allow', [parsed], new PathReadings(path), unmeasured);
}

/** Whether a rule with this pattern would allow what may be read as one of the paths. */
export function mayAdmitAny(pattern: string, paths: Iterable<string>): boolean {
  const parsed = PathPattern.parse(pattern);
  if (typeof parsed === 'string') return false;
  for (const path of paths) if (parsed.matches(path)) return true;
  return false;
}
