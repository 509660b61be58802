// Versions taken out of what npm's registry says of a package: whatever pieces it comes in, the rest stands as it stood.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UnreadableBody } from '../../../src/understand/json-value.ts';
import { PackumentReader } from '../../../src/understand/packages/packument.ts';
import { showPackument } from '../../../src/understand/packages/shown-packument.ts';

const bounds = { versionsMax: 100, depthMax: 64 };

function readIn(octets: Uint8Array, sizes: readonly number[]): ReturnType<PackumentReader['end']> {
  const reader = new PackumentReader(bounds);
  let at = 0;
  for (let i = 0; at < octets.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    reader.push(octets.subarray(at, at + size));
    at += size;
  }
  return reader.end();
}

const version = fc
  .tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.constantFrom('', '-rc.1', '-rc.2', '-beta', '-0'))
  .map(([a, b, c, pre]) => `${String(a)}.${String(b)}.${String(c)}${pre}`);
const name = fc.oneof(version, fc.string({ maxLength: 5 }), fc.constantFrom('__proto__', 'versions', 'time'));
const packument = fc.record(
  {
    readme: fc.json({ maxDepth: 3 }),
    'dist-tags': fc.dictionary(fc.constantFrom('latest', 'next', 'rc', '"', '\\'), version),
    versions: fc.dictionary(name, fc.jsonValue({ maxDepth: 4 }), { maxKeys: 20 }),
    time: fc.dictionary(name, fc.oneof(fc.constant('2020-01-01T00:00:00.000Z'), fc.string({ maxLength: 3 }))),
    other: fc.jsonValue(),
  },
  { requiredKeys: [] },
);
const written = fc.tuple(packument, fc.constantFrom(undefined, 1, 2, '\t')).map(([value, indent]) => ({
  value,
  octets: new TextEncoder().encode(JSON.stringify(value, undefined, indent)),
}));

test('what clients run when they install a version is read in each of its forms, in any pieces', () => {
  const text = `{"versions":{
    "1.0.0":{"hasInstallScript":true},
    "1.0.1":{"a":true,"hasInstallScript" : false,"b":true},
    "1.0.2":{"gypfile": true},
    "1.1.0":{"scripts":{"test":"x","postinstall":"node x"}},
    "1.1.1":{"scripts":{"test":"postinstall","prepare":"x","installed":"x","a":{"install":"x"}}},
    "1.1.2":{"scripts":{"preinst\\u0061ll":""},"dist":{"shasum":"x"}},
    "1.1.3":{"dist":{"install":"x"},"x":{"install":"x","scripts":{"install":"x"}},"install":"x"},
    "1.1.4":{"scripts":["install"],"gypfile":"true"},
    "1.1.5":{"scripts":"install","dist":{"integrity":"install"}},
    "1.1.6":{"dist":{"integrity":"x"},"scripts":{"install":"x"}},
    "1.2.0":{"hasInstallScript":null},
    "1.2.1":{}
  },"hasInstallScript":true,"scripts":{"install":"x"},"time":{}}`;
  for (let size = 1; size < 60; size++) {
    const read = readIn(new TextEncoder().encode(text), [size, 1 + (size % 7)]);
    assert.ok(!(read instanceof UnreadableBody), read instanceof UnreadableBody ? read.reason : '');
    const found = read.versions.filter((one) => one.hasInstallScript === true).map((one) => one.name);
    assert.deepEqual(found, ['1.0.0', '1.0.2', '1.1.0', '1.1.2', '1.1.6']);
  }
});

const digest64 = `sha512-${Buffer.alloc(64, 7).toString('base64')}`;
const digest20 = `sha1-${Buffer.alloc(20, 9).toString('base64')}`;

test('what is promised of archives is read from the place of clients, in any pieces', () => {
  const [hex] = [Buffer.alloc(20, 9).toString('hex')];
  const text = `{"versions":{
    "1.0.0":{"description":"\\"dist\\":{\\"integrity\\":\\"sha512-x\\"}","a":{"dist":{"integrity":"sha512-x"}},"dist":{"x":[{"integrity":1}],"integrity":"${digest64}","shasum":"${hex}"}},
    "1.1.0":{"d\\u0069st":{"shasum":"${hex.toUpperCase()}"},"bin":{"integrity":"sha512-x"}},
    "1.2.0":{"dist":{"integrity":"sha512-x","integrity":"${digest64} sha1-old"}},
    "1.3.0":{"dist":{"integrity":"${digest64} ${digest64}"}},
    "1.4.0":{"dist":{"integrity":"${'x'.repeat(3000)}","shasum":12}},
    "1.5.0":{"dist":[{"integrity":"${digest64}"}]},
    "1.6.0":{"dist":"integrity","integrity":"${digest64}"},
    "1.7.0":[{"dist":{"integrity":"${digest64}"}},2],
    "1.8.0":{}
  },"dist":{"integrity":"${digest64}"},"time":{}}`;
  for (let size = 1; size < 60; size++) {
    const read = readIn(new TextEncoder().encode(text), [size, 1 + (size % 7)]);
    assert.ok(!(read instanceof UnreadableBody), read instanceof UnreadableBody ? read.reason : '');
    assert.deepEqual(
      read.versions.map(({ name: one, digest }) => [one, digest]),
      [
        ['1.0.0', digest64],
        ['1.1.0', digest20],
        ['1.2.0', digest64],
        ...['1.3.0', '1.4.0', '1.5.0', '1.6.0', '1.7.0', '1.8.0'].map((one) => [one, undefined]),
      ],
    );
  }
});

test('what is left out is what was to be, in any document and in any pieces', () => {
  fc.assert(
    fc.property(
      written,
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      fc.nat(),
      (doc, sizes, bits) => {
        const { value, octets } = doc;
        const read = readIn(octets, sizes);
        assert.ok(!(read instanceof UnreadableBody), read instanceof UnreadableBody ? read.reason : '');
        const isShown = (one: string): boolean =>
          ((bits >> ((one.length + one.charCodeAt(0)) % 7)) & 1) === 1;
        const { pieces } = showPackument(octets, read, isShown);
        const shown = JSON.parse(Buffer.concat(pieces).toString()) as typeof value;
        const left = Object.entries(value.versions ?? {}).filter(([one]) => isShown(one));
        const expected = {
          ...value,
          ...(value.versions === undefined ? {} : { versions: Object.fromEntries(left) }),
          ...(value['dist-tags'] === undefined ? {} : { 'dist-tags': shown['dist-tags'] }),
        };
        assert.equal(JSON.stringify(shown), JSON.stringify(expected));
        const names = new Set(left.map(([one]) => one));
        for (const target of Object.values(shown['dist-tags'] ?? {})) assert.ok(names.has(target), target);
        const times = Object.entries(value.time ?? {}).filter(([, text]) => text.startsWith('2020'));
        assert.deepEqual([...read.times.keys()].toSorted(), times.map(([one]) => one).toSorted());
      },
    ),
    { numRuns: 300, seed: 20 },
  );
});

test('a tag goes to the highest version below that is left, of its own channel', () => {
  const all = ['1.0.0', '1.1.0', '1.2.0-beta.1', '1.2.0-rc.1', '1.2.0-rc.2', '1.2.0', '2.0.0', '1.0.1'];
  const moved = (tag: string, from: string, hidden: readonly string[]): string | undefined => {
    const text = JSON.stringify({
      'dist-tags': { [tag]: from },
      versions: Object.fromEntries(all.map((one) => [one, {}])),
    });
    const octets = new TextEncoder().encode(text);
    const read = readIn(octets, [7]);
    assert.ok(!(read instanceof UnreadableBody));
    const { pieces } = showPackument(octets, read, (one) => !hidden.includes(one));
    const shown = JSON.parse(Buffer.concat(pieces).toString()) as { 'dist-tags': Record<string, string> };
    return shown['dist-tags'][tag];
  };
  assert.equal(moved('latest', '2.0.0', ['2.0.0']), '1.2.0');
  // A fix of an old line that came out later is not the next best one.
  assert.equal(moved('latest', '1.2.0', ['1.2.0']), '1.1.0');
  assert.equal(moved('rc', '1.2.0-rc.2', ['1.2.0-rc.2']), '1.2.0-rc.1');
  assert.equal(moved('rc', '1.2.0-rc.2', ['1.2.0-rc.2', '1.2.0-rc.1']), undefined);
  assert.equal(moved('next', '1.0.0', ['1.0.0']), undefined);
  assert.equal(moved('latest', '1.0.0', ['1.0.0']), '2.0.0');
  assert.equal(
    moved(
      'latest',
      '1.2.0-rc.1',
      all.filter((one) => one !== '1.2.0-beta.1'),
    ),
    '1.2.0-beta.1',
  );
});

test('many tags of many versions that are not shown are a matter of moments', { timeout: 120_000 }, () => {
  const count = 10_000;
  const name = (i: number): string => `${String(i % 7)}.${String(i % 1000)}.${String(i)}`;
  const text = JSON.stringify({
    'dist-tags': Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${String(i)}`, name(2 * i)])),
    versions: Object.fromEntries(Array.from({ length: 2 * count }, (_, i) => [name(i), {}])),
  });
  const octets = new TextEncoder().encode(text);
  const reader = new PackumentReader({ ...bounds, versionsMax: 2 * count });
  reader.push(octets);
  const read = reader.end();
  assert.ok(!(read instanceof UnreadableBody));
  // Each compared with each would be 100 million comparisons: longer than any test may take.
  const { moved } = showPackument(octets, read, (one) => Number(one.split('.')[2]) % 2 === 1);
  assert.equal(moved.length, count);
  assert.equal(moved.find(({ tag }) => tag === 't3507')?.to, '0.13.13013');
});

test('more tags than versions may be are too many', () => {
  const tags = (count: number): Uint8Array =>
    new TextEncoder().encode(
      JSON.stringify({
        'dist-tags': Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${String(i)}`, '1.0.0'])),
        versions: { '1.0.0': {} },
      }),
    );
  assert.ok(!(readIn(tags(100), [50]) instanceof UnreadableBody));
  const read = readIn(tags(101), [50]);
  assert.ok(read instanceof UnreadableBody);
  assert.match(read.reason, /more than 100 tags \(packageVersionsMax\)/);
});
