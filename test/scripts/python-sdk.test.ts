// The Python client: it runs under each Python that is here, and it makes a wheel. What is generated of it: test/api/admin/openapi.test.ts.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { packageVersion } from '../../src/system/package-version.ts';
import { runCommand } from '../support/command.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { skipWithout } from '../support/tools.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const sdk = join(root, 'sdk/python');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const skip = skipWithout('python3');
const pythons = [
  'python3',
  'python3.9',
  'python3.10',
  'python3.11',
  'python3.12',
  'python3.13',
  'python3.14',
];

test('its version is that of the package, and it has no dependency', () => {
  const project = read('sdk/python/pyproject.toml');
  assert.ok(project.includes(`version = "${packageVersion()}"`));
  assert.ok(project.includes('dependencies = []'));
  const files = readdirSync(join(sdk, 'src/upstreamproxy_admin')).filter((name) => name.endsWith('.py'));
  assert.ok(files.length > 5);
  for (const name of files) {
    const text = read(`sdk/python/src/upstreamproxy_admin/${name}`);
    for (const [, module = ''] of text.matchAll(/^(?:from|import) (\w+)[\s.]/gm))
      assert.ok(standardModules.has(module), `${name} imports ${module}`);
  }
});

const standardModules = new Set(
  'codecs contextlib dataclasses email http json os random re socket ssl stat sys threading time types typing urllib uuid'.split(
    ' ',
  ),
);

for (const python of pythons)
  test(`a server that lies gets nowhere, under ${python}`, { skip }, async (t) => {
    const version = await runCommand(python, ['-c', 'import sys; print(sys.version_info >= (3, 9))']).catch(
      () => undefined,
    );
    if (version?.code !== 0) return t.skip(`there is no ${python} here`);
    if (version.stdout.trim() !== 'True') return t.skip(`this ${python} is older than 3.9`);
    const { code, stderr } = await runCommand(python, ['-m', 'unittest', 'discover', '-s', 'tests'], {
      cwd: sdk,
      env: { ...process.env, PYTHONPATH: join(sdk, 'src'), PYTHONDONTWRITEBYTECODE: '1' },
    });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^Ran [1-9]\d+ tests/m);
  });

test('it makes a wheel with its types, which imports where nothing else is', { skip }, async (t) => {
  const can = `
import importlib.util, setuptools
version = tuple(int(part) for part in setuptools.__version__.split('.')[:2])
raise SystemExit(0 if version >= (70, 1) or importlib.util.find_spec('wheel') else 1)`;
  const has = await runCommand('python3', ['-c', can]);
  if (has.code !== 0)
    return t.skip('this python3 has nothing that builds wheels: setuptools from 70.1 on, or wheel');
  await using directory = await temporaryDirectory();
  const copy = join(directory.path, 'python');
  await cp(sdk, copy, { recursive: true });
  // As a frontend calls it (PEP 517), without one.
  const build = 'import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])';
  const built = await runCommand('python3', ['-c', build, directory.path], { cwd: copy });
  assert.equal(built.code, 0, built.stderr);
  const wheel = readdirSync(directory.path).find((name) => name.endsWith('.whl'));
  assert.equal(wheel, `upstreamproxy_admin-${packageVersion()}-py3-none-any.whl`);
  const list = 'import sys, zipfile; print("\\n".join(zipfile.ZipFile(sys.argv[1]).namelist()))';
  const { stdout } = await runCommand('python3', ['-c', list, join(directory.path, wheel ?? '')]);
  for (const name of ['py.typed', 'operations.py', 'client.py'])
    assert.ok(stdout.includes(`upstreamproxy_admin/${name}`), name);
  const imported = await runCommand('python3', [
    '-I',
    '-c',
    'import sys; sys.path.insert(0, sys.argv[1]); import upstreamproxy_admin as u; print(u.open_admin)',
    join(directory.path, wheel ?? ''),
  ]);
  assert.equal(imported.code, 0, imported.stderr);
});
