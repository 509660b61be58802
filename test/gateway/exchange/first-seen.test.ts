// Registries that do not say when versions came out: their versions count from when a gateway of the store saw them first.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { FirstSeenStore } from '../../../src/store/first-seen-store.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { memoryFirstSeen } from '../../support/first-seen-store.ts';
import { testPrincipal } from '../support/request-path.ts';
import { openRegistryScene, serving } from '../support/registry-scene.ts';

const dayMs = 86_400_000;
const module = (version: string, ending: string): string => `/example.com/!mod/@v/${version}.${ending}`;
const info = (version: string): string => JSON.stringify({ Version: version, Time: '2019-01-01T00:00:00Z' });
const go = 'registry: go, minAge: 3d';
const files = {
  [module('v1.0.0', 'info')]: info('v1.0.0'),
  [module('v1.0.0', 'zip')]: 'a module',
  [module('v1.0.0', 'mod')]: 'module example.com/Mod',
  [module('v1.1.0', 'info')]: info('v1.1.0'),
  [module('v1.1.0', 'zip')]: 'a module',
  '/example.com/!mod/@v/list': 'v1.0.0\nv1.1.0\n',
};

test('a version of a module is too young until it was seen for so long, whatever its author says of times', async () => {
  const firstSeen = memoryFirstSeen();
  const open = () => openRegistryScene(go, serving(files), { firstSeen });
  await using scene = await open();
  const zip = module('v1.0.0', 'zip');
  const refused = await scene.get(zip);
  assert.equal(refused.status, 403);
  assert.match(refused.body.toString(), /Mod@v1\.0\.0 was first seen at .* and is allowed from/);
  assert.deepEqual(scene.asked, [module('v1.0.0', 'info')]);
  // What is known is asked for no more, for none of its files.
  for (const ending of ['zip', 'mod', 'info'])
    assert.equal((await scene.get(module('v1.0.0', ending))).status, 403);
  assert.equal(scene.asked.length, 1);
  firstSeen.age(3 * dayMs - 60_000);
  await using almost = await open();
  assert.equal((await almost.get(zip)).status, 403);
  assert.deepEqual(almost.asked, []);
  firstSeen.age(60_000);
  await using later = await open();
  for (const ending of ['zip', 'mod', 'info'])
    assert.equal((await later.get(module('v1.0.0', ending))).status, 200);
  assert.deepEqual(
    later.asked,
    ['zip', 'mod', 'info'].map((ending) => module('v1.0.0', ending)),
  );
});

test('a list has the versions that were seen for so long, and all of it is seen by then', async () => {
  const firstSeen = memoryFirstSeen();
  const list = '/example.com/!mod/@v/list';
  const first = { ...files, [list]: 'v1.0.0\n' };
  await using before = await openRegistryScene(go, serving(first), { firstSeen });
  assert.equal((await before.get(list)).status, 403);
  firstSeen.age(4 * dayMs);
  await using scene = await openRegistryScene(go, serving(files), { firstSeen });
  assert.equal((await scene.get(list)).body.toString(), 'v1.0.0\n');
  assert.equal((await scene.get(module('v1.0.0', 'zip'))).status, 200);
  assert.equal((await scene.get(module('v1.1.0', 'zip'))).status, 403);
  firstSeen.age(3 * dayMs);
  await using later = await openRegistryScene(go, serving(files), { firstSeen });
  assert.equal((await later.get(list)).body.toString(), 'v1.0.0\nv1.1.0\n');
});

for (const [what, found] of [
  ['has not', 404],
  ['has no more', 410],
  ['cannot tell of', 503],
  ['tells of as another one', info('v1.0.0')],
  ['shows a page for', '<html>'],
] as const)
  test(`a version that the registry ${what} is not seen, so that nobody makes it old before it comes out`, async () => {
    const firstSeen = memoryFirstSeen();
    const path = module('v2.0.0', 'info');
    await using scene = await openRegistryScene(go, serving({ [path]: found }), { firstSeen });
    assert.equal((await scene.get(module('v2.0.0', 'zip'))).status, 403);
    assert.equal(firstSeen.rows.size, 0);
  });

test('an exception lets through what nobody saw before', async () => {
  const until = new Date(Date.now() + dayMs).toISOString();
  const rule = `${go}, exceptions: [{ package: "example.com/Mod@v1.0.0", reason: the first day, until: "${until}" }]`;
  await using scene = await openRegistryScene(rule, serving(files));
  assert.equal((await scene.get(module('v1.0.0', 'zip'))).status, 200);
  assert.equal((await scene.get(module('v1.1.0', 'zip'))).status, 403);
});

test('what one session sees in a day ends at its bound: what is new is too young for it then, and for nobody else', async () => {
  const firstSeen = memoryFirstSeen();
  const { id: principalId, sessionId } = testPrincipal('alice');
  const { firstSeenPerDayMax: ownerDayMax } = defaultLimits;
  const many = Array.from({ length: ownerDayMax - 1 }, (_, i) => ({ item: String(i) }));
  const owner = { principalId, sessionId };
  const room = { max: Infinity, promisedMax: Infinity, unusedMs: Infinity };
  const bounds = { nowMs: 0, ...room, owner, ownerDayMax };
  await firstSeen.see({ source: 'elsewhere', name: 'a' }, many, bounds);
  await using scene = await openRegistryScene(go, serving(files), { firstSeen });
  assert.equal((await scene.get('/example.com/!mod/@v/list')).status, 403);
  assert.equal(firstSeen.rows.size, ownerDayMax);
  const { body } = await scene.get(module('v1.1.0', 'zip'));
  assert.doesNotMatch(body.toString(), /was first seen at/);
  assert.equal(firstSeen.rows.size, ownerDayMax);
});

test('without the store nothing is old enough, and nothing is fetched', async () => {
  const away = (): Promise<never> => Promise.reject(new ProxyError('store_unavailable', 'the store is away'));
  const firstSeen: FirstSeenStore = { ...memoryFirstSeen(), find: away, see: away };
  await using scene = await openRegistryScene(go, serving(files), { firstSeen });
  assert.equal((await scene.get(module('v1.0.0', 'zip'))).status, 503);
  assert.notEqual((await scene.get('/example.com/!mod/@v/list')).status, 200);
  assert.ok(!scene.asked.includes(module('v1.0.0', 'zip')));
});

const jar = '/org/example/app/1.0/app-1.0.jar';
const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');
const maven = 'registry: maven, minAge: 3d';

test('a file of Maven counts from when its first promise was seen, and so does what stands beside it', async () => {
  const firstSeen = memoryFirstSeen();
  const beside = { [`${jar}.sha1`]: sha1('one'), [`${jar}.asc`]: 'signed', [jar]: 'one' };
  await using scene = await openRegistryScene(maven, serving(beside), { firstSeen });
  for (const target of [jar, `${jar}.sha1`, `${jar}.asc`, `${jar}.asc.sha1`])
    assert.equal((await scene.get(target)).status, 403, target);
  assert.deepEqual(
    scene.asked,
    ['.sha512', '.sha256', '.sha1', ''].map((ending) => `${jar}${ending}`),
  );
  firstSeen.age(3 * dayMs);
  await using later = await openRegistryScene(maven, serving(beside), { firstSeen });
  for (const target of [jar, `${jar}.sha1`, `${jar}.asc`])
    assert.equal((await later.get(target)).status, 200, target);
  // The store knows what was promised.
  assert.deepEqual(later.asked, [jar, `${jar}.sha1`, `${jar}.asc`]);
  // Another file of the version is as new as it is.
  const pom = '/org/example/app/1.0/app-1.0.pom';
  const two = { ...beside, [`${pom}.sha1`]: sha1('pom'), [pom]: 'pom' };
  await using more = await openRegistryScene(maven, serving(two), { firstSeen });
  assert.equal((await more.get(pom)).status, 403);
  assert.equal((await more.get(jar)).status, 200);
});

for (const [what, response] of [
  ['is not there', 404],
  ['cannot be had', 503],
  ['may not be had', 401],
] as const)
  test(`a file of Maven that ${what} is not made old by what stands beside it`, async () => {
    const firstSeen = memoryFirstSeen();
    const published = { [`${jar}.sha1`]: sha1('one'), [jar]: response as string | number };
    await using scene = await openRegistryScene(maven, serving(published), { firstSeen });
    assert.equal((await scene.get(jar)).status, 403);
    assert.equal(firstSeen.rows.size, 0);
    published[jar] = 'one';
    // What is known is kept for a while.
    await using next = await openRegistryScene(maven, serving(published), { firstSeen });
    assert.equal((await next.get(jar)).status, 403);
    assert.equal(firstSeen.rows.size, 1);
    assert.deepEqual(next.methods, ['GET', 'GET', 'GET', 'HEAD']);
  });

test('a file of Maven that is at another address is there', async () => {
  const firstSeen = memoryFirstSeen();
  await using scene = await openRegistryScene(
    maven,
    (request, response) => {
      if (request.url === jar) response.writeHead(302, { location: 'https://elsewhere.example/a.jar' }).end();
      else serving({ [`${jar}.sha1`]: sha1('one') })(request, response);
    },
    { firstSeen },
  );
  assert.equal((await scene.get(jar)).status, 403);
  assert.equal(firstSeen.rows.size, 1);
});

for (const rule of [maven, 'registry: maven, integrity: asked'])
  test(`the first promise of a file stays, also where the repository promises something else: ${rule}`, async () => {
    const firstSeen = memoryFirstSeen();
    await using first = await openRegistryScene(
      rule,
      serving({ [`${jar}.sha1`]: sha1('one'), [jar]: 'one' }),
      {
        firstSeen,
      },
    );
    await first.get(jar);
    firstSeen.age(4 * dayMs);
    const changed = { [`${jar}.sha1`]: sha1('two'), [`${jar}.sha512`]: 'ab'.repeat(64), [jar]: 'two' };
    await using scene = await openRegistryScene(rule, serving(changed), { firstSeen });
    assert.equal((await scene.get(jar)).isWhole, false);
    const alarm = (await scene.path.events(2)).find(({ kind }) => kind === 'alarm');
    assert.equal(alarm?.action, 'package_altered');
  });

test('a snapshot that is published again is new again', async () => {
  const firstSeen = memoryFirstSeen();
  const snapshot = '/org/example/app/1-SNAPSHOT/app-1-SNAPSHOT.jar';
  const told = (text: string) => serving({ [`${snapshot}.sha1`]: sha1(text), [snapshot]: text });
  await using first = await openRegistryScene(maven, told('one'), { firstSeen });
  assert.equal((await first.get(snapshot)).status, 403);
  firstSeen.age(4 * dayMs);
  await using same = await openRegistryScene(maven, told('one'), { firstSeen });
  assert.equal((await same.get(snapshot)).isWhole, true);
  await using other = await openRegistryScene(maven, told('two'), { firstSeen });
  assert.equal((await other.get(snapshot)).status, 403);
});

test('a snapshot that is published again while an older one is known comes for nobody, however often it is asked for', async () => {
  const firstSeen = memoryFirstSeen();
  const snapshot = '/org/example/app/1-SNAPSHOT/app-1-SNAPSHOT.jar';
  const told = { [`${snapshot}.sha1`]: sha1('one'), [snapshot]: 'one' };
  await using first = await openRegistryScene(maven, serving(told), { firstSeen });
  assert.equal((await first.get(snapshot)).status, 403);
  firstSeen.age(4 * dayMs);
  await using scene = await openRegistryScene(maven, serving(told), { firstSeen });
  assert.equal((await scene.get(snapshot)).isWhole, true);
  Object.assign(told, { [`${snapshot}.sha1`]: sha1('two'), [snapshot]: 'two' });
  assert.equal((await scene.get(snapshot)).isWhole, false);
  for (let i = 0; i < 3; i++) assert.equal((await scene.get(snapshot)).status, 403);
});

test('a file of which nothing is promised is never old enough', async () => {
  await using scene = await openRegistryScene(maven, serving({ [jar]: 'one' }));
  assert.equal((await scene.get(jar)).status, 403);
});
