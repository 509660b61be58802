// Several versions of the site beside each other: `/VERSION/` has the pages of each, `versions.json` names them, and `/latest/` leads to the newest.

import { globSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

/** Semantic Versioning 2.0.0, without what comes behind a plus. */
const version = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-([0-9A-Za-z.-]{1,100}))?$/;

export const isVersion = (text: string): boolean => version.test(text);

/** Newest first. */
export function compareVersions(one: string, other: string): number {
  const [, ...left] = version.exec(one) ?? [];
  const [, ...right] = version.exec(other) ?? [];
  for (let index = 0; index < 3; index += 1) {
    const difference = Number(right[index]) - Number(left[index]);
    if (difference !== 0) return difference;
  }
  return compareEarly(left[3], right[3]);
}

/** What comes before a release is older than it (§11). */
function compareEarly(one: string | undefined, other: string | undefined): number {
  if (one === undefined || other === undefined)
    return Number(one !== undefined) - Number(other !== undefined);
  const [left, right] = [one.split('.'), other.split('.')];
  for (const [index, part] of left.entries()) {
    const beside = right[index];
    if (beside === undefined) return -1;
    const [isNumber, isOtherNumber] = [/^\d+$/.test(part), /^\d+$/.test(beside)];
    if (isNumber !== isOtherNumber) return isNumber ? 1 : -1;
    const difference = isNumber
      ? Number(beside) - Number(part)
      : Number(beside > part) - Number(beside < part);
    if (difference !== 0) return difference;
  }
  return left.length < right.length ? 1 : 0;
}

export interface SiteVersions {
  /** The newest release; where there is none yet, the newest of what came before. */
  readonly latest: string;
  /** Newest first. */
  readonly versions: readonly string[];
}

/** What is in the folder. @throws Error if there is no version */
export function readVersions(folder: string): SiteVersions {
  const versions = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && isVersion(entry.name))
    .map(({ name }) => name)
    .toSorted(compareVersions);
  const latest = versions.find((one) => !one.includes('-')) ?? versions[0];
  if (latest === undefined) throw new Error(`${folder} has no version of the site`);
  return { latest, versions };
}

/** Writes all that is not of one version: the list, `/latest/` and the front page. */
export function writeVersions(folder: string): SiteVersions {
  const found = readVersions(folder);
  writeFileSync(join(folder, 'versions.json'), versionList(found));
  rmSync(join(folder, 'latest'), { recursive: true, force: true });
  for (const page of globSync('**/*.html', { cwd: join(folder, found.latest) })) {
    const path = posix.join('latest', page);
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    const way = posix.relative(posix.dirname(path), posix.join(found.latest, page));
    writeFileSync(join(folder, path), leadingPage(way));
  }
  writeFileSync(join(folder, 'index.html'), leadingPage(`${found.latest}/index.html`));
  return found;
}

export const versionList = (versions: SiteVersions): string => `${JSON.stringify(versions, undefined, 2)}\n`;

/** A static server leads nobody elsewhere, so a page does; the section stays. `way`: a path of our own files. */
export function leadingPage(way: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>upstreamproxy</title>
<script>location.replace(${JSON.stringify(way)} + location.hash);</script>
<noscript><meta http-equiv="refresh" content="0; url=${way}"></noscript>
<p><a href="${way}">The newest version of this page</a></p>
</html>
`;
}
