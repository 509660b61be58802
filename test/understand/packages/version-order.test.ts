// Versions in the order of each registry: vectors of the tools that made these orders, and the tools themselves where they are.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { PackageRegistry } from '../../../src/understand/packages/package-request.ts';
import { versionOrders } from '../../../src/understand/packages/version-order.ts';
import { seededBelow } from '../../support/seeded.ts';

/** Each is before the next; `=` joins those that are equal. */
const rising: Partial<Record<PackageRegistry, readonly string[]>> = {
  // semver.org §11
  npm: [
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0 = 1.0.0+build',
    '2.0.0',
    '2.1.0',
    '2.1.1',
  ],
  go: ['v0.0.0-20190101000000-abcdefabcdef', 'v1.9.0', 'v1.10.0', 'v2.0.0+incompatible'],
  // PEP 440, and tests/test_version.py of packaging
  pypi: [
    '1.0.dev456',
    '1.0a1 = v1.0-alpha.1 = 1.0_A1',
    '1.0a2.dev456',
    '1.0a12.dev456',
    '1.0a12',
    '1.0b1.dev456',
    '1.0b2',
    '1.0b2.post345.dev456',
    '1.0b2.post345',
    '1.0rc1.dev456 = 1.0c1.dev456',
    '1.0rc1 = 1.0.preview1',
    '1.0rc2',
    '1.0 = 1 = 1.0.0 = 0!1.0',
    '1.0+abc.5',
    '1.0+abc.7',
    '1.0+5',
    '1.0.post456.dev34',
    '1.0.post456 = 1.0-456 = 1.0-r456',
    '1.1.dev1',
    '1!0.1',
  ],
  // test/rubygems/test_gem_version.rb
  rubygems: [
    '0.beta.1',
    '0.0.beta.2',
    '5.a',
    '5.0.0.rc2',
    '5.0.0 = 5 = 5.0',
    '5.0.1',
    '9.8.7.b',
    '9.8.7',
    '99999999999999999999',
  ],
  // ComparableVersionTest of Maven
  maven: [
    '1-alpha2snapshot',
    '1-alpha2',
    '1-alpha-123 = 1-alpha-0123',
    '1-beta-2',
    '1-beta123',
    '1-m2 = 1-milestone2',
    '1-m11',
    '1-rc = 1-cr',
    '1-rc2',
    '1-SNAPSHOT',
    '1 = 1.0 = 1.0.0 = 1-ga = 1.final = 1-release',
    '1-sp',
    '1-sp2',
    '1-abc',
    '1-1-snapshot',
    '1-1 = 1.0-1',
    '1-2',
    '1-123',
    '2.0.1',
    '2.0.1.123',
    '11',
  ],
};

for (const [name, rows] of Object.entries(rising))
  test(`versions of ${name}`, () => {
    // The keys are those of the record.
    const { compare } = versionOrders[name as PackageRegistry];
    const flat = rows.flatMap((row, rank) => row.split(' = ').map((version) => ({ version, rank })));
    for (const a of flat)
      for (const b of flat)
        assert.equal(
          Math.sign(compare(a.version, b.version) ?? Number.NaN),
          Math.sign(a.rank - b.rank),
          `${a.version} and ${b.version}`,
        );
  });

test('what is no version of a registry has no order', () => {
  const none: Readonly<Record<PackageRegistry, readonly string[]>> = {
    npm: ['1', '1.0', 'v1.0.0', '=1.0.0', ' 1.0.0', '1.0.0-', '01.0.0', '1.0.0-01', 'latest', '1.0.0\n'],
    cargo: ['1.0', 'v1.0.0', '99999999999999999999.0.0'],
    go: ['1.0.0', 'v1.0', 'V1.0.0', 'master'],
    pypi: ['1.0-', 'x', '1..0', '1.0+', '1.0 ', '١.0'],
    rubygems: ['1-2', 'a', '1.', '1..2', ''],
    maven: ['', '-1', 'a/b', 'a b'],
    oci: [],
  };
  for (const [name, texts] of Object.entries(none))
    // The keys are those of the record.
    for (const text of texts)
      assert.equal(versionOrders[name as PackageRegistry].compare(text, text), undefined, text);
  assert.equal(versionOrders.pypi.compare('1'.repeat(200), '1'), undefined);
});

/** Texts that are the same for the same seed. */
function textsOf(pieces: readonly string[], count: number): readonly string[] {
  const pick = seededBelow(7);
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + pick(6) }, () => pieces[pick(pieces.length)] ?? '').join(''),
  );
}

const isLong = process.env['TEST_REGISTRIES'] !== undefined;
const has = (command: string): boolean => spawnSync('which', [command]).status === 0;
const tools = { gem: 'ruby' };
const mavenJars = '/usr/share/maven/lib';

describe('generated versions, beside the tools themselves', () => {
  const why = (is: boolean): string | false =>
    isLong ? (is ? false : 'the tool is not here') : '`npm run test:packages` runs it';

  test('gem', { skip: why(has(tools.gem)) }, () => {
    const texts = textsOf(['1', '0', '2', '10', '.', '.0', '.a', 'b', 'rc', '.pre', 'A'], 4000).filter(
      (one) => versionOrders.rubygems.isVersion(one),
    );
    const program =
      'STDIN.read.split("\\n").each_cons(2){|a,b| puts Gem::Version.new(a)<=>Gem::Version.new(b)}';
    const { stdout } = spawnSync(tools.gem, ['-e', program], { input: texts.join('\n'), encoding: 'utf8' });
    const told = stdout.split('\n');
    for (let i = 0; i + 1 < texts.length; i++) {
      const [a = '', b = ''] = [texts[i], texts[i + 1]];
      assert.equal(
        String(Math.sign(versionOrders.rubygems.compare(a, b) ?? Number.NaN)),
        told[i],
        `${a} and ${b}`,
      );
    }
    assert.ok(texts.length > 500);
  });

  test('Maven', { skip: why(existsSync(mavenJars) && has('java')) }, () => {
    const pieces = [
      '1',
      '0',
      '2',
      '10',
      '.',
      '-',
      '.0',
      'alpha',
      'rc',
      'snapshot',
      'final',
      'sp',
      'x',
      'a',
      'm1',
      'ga',
      '_',
    ];
    const texts = textsOf(pieces, 2500).filter((one) => versionOrders.maven.isVersion(one));
    const main = 'org.apache.maven.artifact.versioning.ComparableVersion';
    const { stdout } = spawnSync('java', ['-cp', `${mavenJars}/*`, main, ...texts], { encoding: 'utf8' });
    const told = [...stdout.matchAll(/^ {3}(\S+) (<|==|>) (\S+)$/gm)];
    for (const [, a = '', sign = '', b = ''] of told)
      assert.equal(
        Math.sign(versionOrders.maven.compare(a, b) ?? Number.NaN),
        ['<', '==', '>'].indexOf(sign) - 1,
        `${a} ${sign} ${b}`,
      );
    assert.ok(told.length > 1000);
  });

  test('pip', { skip: why(has('python3')) }, () => {
    const pieces = [
      '1',
      '0',
      '2',
      '10',
      '.',
      '.0',
      'a',
      'b',
      'rc',
      '.pre',
      '-',
      '_',
      'post',
      '.dev',
      '1!',
      '+',
      'x',
      'v',
    ];
    const texts = textsOf(pieces, 20_000);
    const program = [
      'import sys',
      'from pip._vendor.packaging.version import Version, InvalidVersion',
      'last = Version("0")',
      'for text in sys.stdin.read().split("\\n"):',
      '    try: version = Version(text)',
      '    except InvalidVersion: print("none"); continue',
      '    print((version > last) - (version < last)); last = version',
    ].join('\n');
    const { stdout } = spawnSync('python3', ['-c', program], { input: texts.join('\n'), encoding: 'utf8' });
    const results = stdout.trimEnd().split('\n');
    assert.equal(results.length, texts.length);
    let last = '0';
    for (const [i, told] of results.entries()) {
      const text = texts[i] ?? '';
      const order = versionOrders.pypi.compare(text, last);
      assert.equal(order === undefined ? 'none' : String(Math.sign(order)), told, `${text} and ${last}`);
      if (order !== undefined) last = text;
    }
  });
});
