// Lists of versions in the forms of PyPI, cargo, Go and RubyGems: what is kept back is yanked where the registry has a word for it, and
// left out where it has none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnreadableBody } from '../../../src/understand/json-value.ts';
import { type ListedVersions, listReaderOf } from '../../../src/understand/packages/listed-versions.ts';
import type { PackageRegistry } from '../../../src/understand/packages/package-request.ts';
import { simplePage } from '../../../src/understand/packages/simple-page.ts';

const bounds = { versionsMax: 20, depthMax: 64 };

function read(registry: PackageRegistry, text: string, name = 'a'): ListedVersions | UnreadableBody {
  const reader = listReaderOf(registry, bounds, name) ?? assert.fail();
  const octets = new TextEncoder().encode(text);
  reader.push(octets);
  return reader.end(octets);
}

function shown(registry: PackageRegistry, text: string, hidden: readonly string[]): string {
  const list = read(registry, text);
  assert.ok(!(list instanceof UnreadableBody), list instanceof UnreadableBody ? list.reason : '');
  const { pieces } = list.show(
    ({ version, file }) => !hidden.includes(file ?? version),
    () => 'why',
  );
  return Buffer.concat(pieces).toString();
}

test('cargo: a line is yanked, the others are as they came, and what is no line of a version goes', () => {
  const line = (vers: string, more: string): string =>
    `{"name":"a","vers":"${vers}","deps":[], "cksum":"x"${more}}`;
  const [one, two] = [
    line('1.0.0', ',"yanked":false,"pubtime":"2020-01-01T00:00:00Z"'),
    line('1.1.0', ',"yanked":false'),
  ];
  const three = line('1.2.0', ',"yanked":true');
  const text = `${one}\n${two}\n${three}\nno line\n{"name":"a"}\n`;
  const [first, second, third, ...rest] = shown('cargo', text, ['1.1.0', '1.2.0']).trimEnd().split('\n');
  assert.deepEqual([first, third, rest], [one, three, []]);
  assert.deepEqual(JSON.parse(second ?? ''), { ...(JSON.parse(two) as object), yanked: true });
  const list = read('cargo', text);
  assert.ok(!(list instanceof UnreadableBody));
  assert.deepEqual([...list.times], [['1.0.0', Date.parse('2020-01-01T00:00:00Z')]]);
});

test('PyPI: a file is yanked with the reason, each by its own time, and one of another package goes', () => {
  const file = (filename: string, more: object = {}): object => ({
    filename,
    url: `https://f/${filename}`,
    hashes: { sha256: 'ff' },
    ...more,
  });
  const files = [
    file('a-1.0-py3-none-any.whl', {
      'upload-time': '2020-01-01T00:00:00.123456Z',
      'core-metadata': { sha256: 'ee' },
    }),
    file('a-1.0.tar.gz', {
      'upload-time': '2029-01-01T00:00:00Z',
      'requires-python': '>=3.9',
      yanked: false,
    }),
    file('b-1.0.tar.gz'),
    file('a.exe'),
    'none',
  ];
  const text = JSON.stringify({ meta: { 'api-version': '1.1' }, name: 'a', versions: ['1.0'], files });
  const result = shown('pypi', text, ['a-1.0.tar.gz']);
  const index = JSON.parse(result) as { readonly files: readonly Record<string, unknown>[] };
  assert.deepEqual(index.files, [files[0], { ...(files[1] as object), yanked: 'why' }]);
  const page = simplePage(result);
  assert.match(
    page,
    /<a href="https:\/\/f\/a-1\.0-py3-none-any\.whl#sha256=ff" data-core-metadata="sha256=ee">a-1\.0-py3-none-any\.whl<\/a>/,
  );
  assert.match(page, /data-requires-python="&gt;=3\.9" data-yanked="why">a-1\.0\.tar\.gz</);
  const list = read('pypi', text);
  assert.ok(!(list instanceof UnreadableBody));
  assert.deepEqual([...list.times.keys()], ['a-1.0-py3-none-any.whl', 'a-1.0.tar.gz']);
});

test('what a registry writes into its index is text on the page', () => {
  const page = simplePage(
    JSON.stringify({ name: '<b>', files: [{ filename: 'a"><script>', url: 'x"y', yanked: '<i>' }] }),
  );
  assert.ok(!/<(?:b|script|i)>/.test(page), page);
  assert.match(page, /href="x&quot;y"/);
});

test('Go and RubyGems: a line goes', () => {
  assert.equal(shown('go', 'v1.0.0\nv1.1.0\nv1.2.0\n', ['v1.1.0']), 'v1.0.0\nv1.2.0\n');
  const info = '---\n1.0.0 |checksum:x\n1.1.0-java a:>= 1|checksum:y\n1.1.0 |checksum:z\n';
  // A file for another platform has a time of its own.
  assert.equal(shown('rubygems', info, ['1.1.0']), '---\n1.0.0 |checksum:x\n1.1.0-java a:>= 1|checksum:y\n');
  assert.equal(shown('rubygems', info, ['1.1.0', '1.1.0-java']), '---\n1.0.0 |checksum:x\n');
});

test('RubyGems: an index may say when a file came out', () => {
  const list = read(
    'rubygems',
    '---\n1.0 |checksum:x,created_at:2029-01-01T00:00:00Z\n1.0-java |created_at:2029-02-01T00:00:00Z,ruby:>= 2\r\n1.1 |created_at:soon\n',
  );
  assert.ok(!(list instanceof UnreadableBody));
  assert.deepEqual(
    [...list.times],
    [
      ['1.0', Date.parse('2029-01-01T00:00:00Z')],
      ['1.0-java', Date.parse('2029-02-01T00:00:00Z')],
    ],
  );
});

test('RubyGems: a line is of a version whatever is behind it, and what stands before the versions is not', () => {
  const info = 'created_at: 2020\n---\n1.0.0\n1.1.0\n1.2.0 a:>= 1\nbeta\n';
  assert.equal(shown('rubygems', info, ['1.1.0', '1.2.0', 'beta']), 'created_at: 2020\n---\n1.0.0\n');
  assert.equal(shown('rubygems', '1.0.0\n1.1.0\n', ['1.1.0']), '1.0.0\n');
});

test('what is none of these is not read', () => {
  for (const [registry, text] of [
    ['pypi', '<html></html>'],
    ['pypi', '[]'],
    ['pypi', '{"files":{}}'],
    ['cargo', Array.from({ length: 30 }, (_, i) => `{"vers":"1.0.${String(i)}"}`).join('\n')],
    ['go', 'v1.0.0\n'.repeat(30)],
  ] as const)
    assert.ok(read(registry, text) instanceof UnreadableBody, text);
  const octets = Uint8Array.of(0xff);
  assert.ok(listReaderOf('go', bounds, 'a')?.end(octets) instanceof UnreadableBody);
  assert.equal(listReaderOf('maven', bounds, 'a'), undefined);
});
