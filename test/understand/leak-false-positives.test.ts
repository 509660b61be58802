// How often known shapes of secrets are found where there is none: in the source of this project, and in 50 packages of its lock file.
// `npm run test:understanding` reads all of it; alone it reads what is small.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LeakSearch } from '../../src/gateway/leaks/leak-search.ts';
import { soughtFor } from '../gateway/support/leaks.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const isLong = process.env['TEST_UNDERSTANDING'] !== undefined;
/** Of a checkout that is no repository, and of what is only looked at. */
const bytesMax = isLong ? 64 * 1024 * 1024 : 256 * 1024;

interface Read {
  readonly megabytes: number;
  readonly found: readonly string[];
}

function shapesIn(files: readonly string[]): Read {
  const sought = soughtFor({});
  const found: string[] = [];
  let bytes = 0;
  for (const file of files) {
    const status = statSync(`${root}${file}`, { throwIfNoEntry: false });
    if (status?.isFile() !== true || status.size > bytesMax) continue;
    const text = readFileSync(`${root}${file}`);
    bytes += text.length;
    for (const { name } of new LeakSearch(sought).run(text)) found.push(`${name} ${file}`);
  }
  return { megabytes: bytes / 1e6, found };
}

function ownFiles(): readonly string[] {
  if (!existsSync(`${root}.git`)) return globSync('{src,test,docs}/**/*', { cwd: root });
  const files = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 });
  return files.trim().split('\n');
}

/** Spread over the alphabet, and the same in every checkout. */
function fiftyPackages(): readonly string[] {
  const { packages } = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8')) as {
    readonly packages: Readonly<Record<string, unknown>>;
  };
  const all = Object.keys(packages)
    .filter((path) => path.lastIndexOf('node_modules/') === 0 && existsSync(`${root}${path}`))
    .toSorted();
  return Array.from({ length: 50 }, (_, i) => all[Math.floor((i * all.length) / 50)] ?? '');
}

test('in the source of this project the examples of AWS alone look like a secret', (t) => {
  const { megabytes, found } = shapesIn(ownFiles());
  t.diagnostic(`${megabytes.toFixed(1)} MB of this project: ${found.length} found`);
  assert.ok(megabytes > 5);
  // Its own tests of leaks are made of shapes that no service gave out.
  const others = found.filter((one) => !one.endsWith('sigv4/vectors.test.ts'));
  assert.deepEqual(others, []);
});

test('in 50 packages nothing looks like a secret', { skip: !isLong && 'npm run test:understanding' }, (t) => {
  const packages = fiftyPackages();
  const files = packages.flatMap((one) =>
    globSync('**/*', { cwd: `${root}${one}` }).map((file) => `${one}/${file}`),
  );
  const { megabytes, found } = shapesIn(files);
  t.diagnostic(`${megabytes.toFixed(1)} MB of ${packages.length} packages: ${found.length} found`);
  assert.ok(files.length > 500);
  // Keys that a package brings for its own tests are keys.
  const others = found.filter((one) => !/^private-key .*\/test\/fixtures\//.test(one));
  assert.deepEqual(others, []);
});
