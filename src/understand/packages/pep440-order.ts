// Versions of Python packages (PEP 440), in any of the spellings that it takes for one.

import { compareDigits, compareText } from './digit-order.ts';

const form =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?(\d+)?)?(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d+)?)?(?:[-_.]?(dev)[-_.]?(\d+)?)?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/i;

interface Version {
  readonly epoch: string;
  readonly release: readonly string[];
  /** `a`, `b` or `rc`. */
  readonly pre: readonly [kind: string, number: string] | undefined;
  readonly post: string | undefined;
  readonly dev: string | undefined;
  readonly local: readonly string[] | undefined;
}

export const isPep440 = (text: string): boolean => form.test(text);

export function comparePep440(one: Version, other: Version): number {
  return (
    compareDigits(one.epoch, other.epoch) ||
    compareReleases(one.release, other.release) ||
    comparePre(one, other) ||
    // Without one is before, and behind for a version of development.
    compareOptional(one.post, other.post, -1) ||
    compareOptional(one.dev, other.dev, 1) ||
    compareLocals(one.local, other.local)
  );
}

const kinds: Readonly<Record<string, string>> = { alpha: 'a', beta: 'b', c: 'rc', pre: 'rc', preview: 'rc' };

/** Of a version. */
export function readPep440(text: string): Version {
  const [, epoch, release = '', kind, pre, post1, post, post2, dev, devNumber, local] = form.exec(text) ?? [];
  const lower = kind?.toLowerCase();
  return {
    epoch: epoch ?? '0',
    release: release.split('.'),
    pre: lower === undefined ? undefined : [kinds[lower] ?? lower, pre ?? '0'],
    post: post1 ?? (post === undefined ? undefined : (post2 ?? '0')),
    dev: dev === undefined ? undefined : (devNumber ?? '0'),
    local: local?.toLowerCase().split(/[-_.]/),
  };
}

function compareReleases(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const order = compareDigits(a[i] ?? '0', b[i] ?? '0');
    if (order !== 0) return order;
  }
  return 0;
}

/** 1.0.dev1 is before 1.0a1, which is before 1.0 and 1.0.post1. */
function comparePre(a: Version, b: Version): number {
  const [one, other] = [rankOf(a), rankOf(b)];
  if (one !== other) return one - other;
  if (a.pre === undefined || b.pre === undefined) return 0;
  return compareText(a.pre[0], b.pre[0]) || compareDigits(a.pre[1], b.pre[1]);
}

function rankOf({ pre, post, dev }: Version): number {
  if (pre !== undefined) return 1;
  return post === undefined && dev !== undefined ? 0 : 2;
}

function compareOptional(a: string | undefined, b: string | undefined, absent: -1 | 1): number {
  if (a === undefined || b === undefined) {
    if (a === b) return 0;
    return a === undefined ? absent : -absent;
  }
  return compareDigits(a, b);
}

/** Numbers are behind letters, and more parts behind fewer. */
function compareLocals(a: readonly string[] | undefined, b: readonly string[] | undefined): number {
  const [one, other] = [a ?? [], b ?? []];
  for (let i = 0; i < Math.max(one.length, other.length); i++) {
    const [left, right] = [one[i], other[i]];
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const [leftNumber, rightNumber] = [/^\d+$/.test(left), /^\d+$/.test(right)];
    if (leftNumber !== rightNumber) return leftNumber ? 1 : -1;
    const order = leftNumber ? compareDigits(left, right) : compareText(left, right);
    if (order !== 0) return order;
  }
  return 0;
}
