// What a rule with `integrity` asks a registry of an archive, and what it makes of what it is told.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { DecidedPackage, RequestAccess } from '../../../src/policy/decision.ts';
import { sourceOf } from '../../../src/policy/known-package.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import { isOfLater } from '../../../src/gateway/exchange/promised-package.ts';
import { openRegistryScene, type RegistryScene, serving } from '../support/registry-scene.ts';

const file = Buffer.from('what is in a file');
const altered = Buffer.from('what is in a file!');
const hex = (algorithm: string, octets = file): string => createHash(algorithm).update(octets).digest('hex');
const jar = '/org/example/app/1.0/app-1.0.jar';
const name = 'org.example:app';

const digestOf = async ({ path }: RegistryScene): Promise<string | undefined> =>
  (await path.events(1)).at(-1)?.package?.digest;

for (const [algorithm, others] of [
  ['sha1', []],
  ['sha256', ['sha1']],
  ['sha512', ['sha1', 'sha256']],
] as const)
  test(`a file of Maven is checked by ${algorithm}, the strongest that is beside it`, async () => {
    const beside = { [`${jar}.${algorithm}`]: `${hex(algorithm)}\n` };
    const wrong = Object.fromEntries(others.map((one) => [`${jar}.${one}`, hex(one, altered)]));
    const files = { ...beside, ...wrong, [jar]: file };
    await using sound = await openRegistryScene('registry: maven, integrity: asked', serving(files));
    for (let i = 0; i < 2; i++) assert.equal((await sound.get(jar)).isWhole, true);
    assert.match((await digestOf(sound)) ?? '', new RegExp(`^${algorithm}-`));
    // What beside it is promised is asked for once.
    assert.deepEqual(sound.asked.slice(-2), [jar, jar]);
    await using other = await openRegistryScene(
      'registry: maven, integrity: asked',
      serving({ ...files, [jar]: altered }),
    );
    assert.equal((await other.get(jar)).isWhole, false);
    const alarm = (await other.path.events(2)).find(({ kind }) => kind === 'alarm');
    assert.equal(alarm?.action, 'package_altered');
    assert.match(alarm?.message ?? '', new RegExp(`${name}@1.0 of maven`));
  });

for (const [form, text] of [
  ['alone', hex('sha1')],
  ['in capitals', hex('sha1').toUpperCase()],
  ['before a name', `${hex('sha1')}  app-1.0.jar\n`],
  ['behind a name', `SHA1(app-1.0.jar)= ${hex('sha1')}\n`],
] as const)
  test(`a digest is read ${form}`, async () => {
    const files = { [`${jar}.sha1`]: text, [jar]: altered };
    await using scene = await openRegistryScene('registry: maven, integrity: asked', serving(files));
    assert.equal((await scene.get(jar)).isWhole, false);
  });

for (const [what, files] of [
  ['nothing is beside it', {}],
  ['a page is beside it', { [`${jar}.sha1`]: '<html>Not found</html>' }],
  ['two digests are beside it', { [`${jar}.sha1`]: `${hex('sha1')} ${hex('sha1', altered)}` }],
  ['what is beside it is too long', { [`${jar}.sha1`]: 'x'.repeat(70_000) }],
  ['the registry is in trouble', { [`${jar}.sha512`]: 503, [`${jar}.sha1`]: hex('sha1') }],
] as const)
  test(`where ${what}, a file comes unchecked, and is refused where a promise is required`, async () => {
    const all = { ...files, [jar]: altered };
    await using asked = await openRegistryScene('registry: maven, integrity: asked', serving(all));
    assert.equal((await asked.get(jar)).isWhole, true);
    assert.equal(await digestOf(asked), undefined);
    await using required = await openRegistryScene('registry: maven, integrity: required', serving(all));
    const { status, body } = await required.get(jar);
    assert.equal(status, 403);
    assert.match(
      body.toString(),
      /nothing is promised of what the registry delivers as org\.example:app@1\.0/,
    );
    assert.ok(!required.asked.includes(jar));
  });

test('what stands beside a file comes as it is, also where promises are required', async () => {
  const files = { [`${jar}.sha1`]: hex('sha1'), [`${jar}.asc`]: 'a signature' };
  await using scene = await openRegistryScene('registry: maven, integrity: required', serving(files));
  for (const target of Object.keys(files)) assert.equal((await scene.get(target)).status, 200);
  assert.deepEqual(scene.asked, Object.keys(files));
});

test('without integrity nothing beside a file of Maven is asked for', async () => {
  await using scene = await openRegistryScene('registry: maven', serving({ [jar]: altered }));
  assert.equal((await scene.get(jar)).isWhole, true);
  assert.deepEqual(scene.asked, [jar]);
});

test('with integrity archives are checked whose client asked for nothing else, and whose age no rule looks at', async () => {
  const archive = '/crates/a/a-1.0.0.crate';
  const line = (vers: string): string => JSON.stringify({ name: 'a', vers, cksum: hex('sha256') });
  for (const [vers, sent, integrity, expected] of [
    ['1.0.0', file, 'asked', true],
    ['1.0.0', altered, 'asked', false],
    ['2.0.0', altered, 'asked', true],
    ['2.0.0', altered, 'required', false],
  ] as const) {
    const files = { '/1/a': `${line(vers)}\n`, [archive]: sent };
    await using scene = await openRegistryScene(`registry: cargo, integrity: ${integrity}`, serving(files));
    const { status, isWhole } = await scene.get(archive);
    assert.equal(status === 200 && isWhole, expected);
  }
});

test('where promises are required, an image comes by its digest and not by a tag', async () => {
  const byDigest = `/v2/a/manifests/sha256:${hex('sha256')}`;
  const files = { [byDigest]: file, '/v2/a/manifests/latest': file };
  await using scene = await openRegistryScene('registry: oci, integrity: required', serving(files));
  assert.equal((await scene.get(byDigest)).isWhole, true);
  assert.equal((await scene.get('/v2/a/manifests/latest')).status, 403);
});

test('what is promised since it was judged is not what was judged, where a rule asks for an age', () => {
  const destination = { scheme: 'https', host: 'npm.test', port: 443 } as const;
  const fetched = { registry: 'npm', name: 'a', version: '1.0.0', minAgeMs: 1000 } as DecidedPackage;
  const judged = (ms: number | undefined): RequestAccess =>
    ({
      depth: 'request',
      destination,
      headers: new HeaderList([]),
      package: { source: sourceOf(fetched, destination), timeOf: () => ms },
    }) as unknown as RequestAccess;
  const asked = {
    registry: 'npm',
    root: { ...destination, path: '' },
    name: 'a',
    written: 'a',
    credentials: [],
  } as const;
  const isLater = (publishedMs: number | undefined, access = judged(5), of = fetched): boolean =>
    isOfLater({ digest: 'sha1-x', publishedMs, asked }, of, access);
  assert.deepEqual([isLater(5), isLater(4), isLater(6), isLater(undefined)], [false, false, true, true]);
  // An exception lets through what has no time, and a rule without an age judged none.
  const { package: _, ...plain } = judged(5);
  const { minAgeMs: __, ...ageless } = fetched;
  assert.deepEqual(
    [isLater(6, judged(undefined)), isLater(6, plain as RequestAccess), isLater(6, judged(5), ageless)],
    [false, false, false],
  );
});
