// Files of RubyGems: when they came out is in the index, or beside it, or counts from when they were seen.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryFirstSeen } from '../../support/first-seen-store.ts';
import { openRegistryScene, serving } from '../support/registry-scene.ts';

const dayMs = 86_400_000;
const rule = 'registry: rubygems, minAge: 3d';
const info = '/info/example';
const versions = '/api/v1/versions/example.json';
const ago = (days: number): string => new Date(Date.now() - days * dayMs).toISOString();
const gem = (file: string): string => `/gems/example-${file}.gem`;
const spec = (file: string): string => `/quick/Marshal.4.8/example-${file}.gemspec.rz`;

const gems = {
  [gem('1.0')]: 'gem',
  [gem('1.1')]: 'gem',
  [gem('1.0-java')]: 'gem',
  [spec('1.0')]: 'spec',
  [spec('1.1')]: 'spec',
};
const list = '---\n1.0 |ruby:>= 2\n1.0-java |ruby:>= 2\n1.1 |ruby:>= 2\n';
/** Of a platform that came long after its version. */
const told = JSON.stringify([
  { number: '1.1', platform: 'ruby', created_at: ago(1) },
  { number: '1.0', platform: 'java', created_at: ago(2) },
  { number: '1.0', created_at: ago(400) },
]);

test('a file is as old as the registry says beside its index, and the index has what is old enough', async () => {
  await using scene = await openRegistryScene(rule, serving({ ...gems, [info]: list, [versions]: told }));
  assert.equal((await scene.get(info)).body.toString(), '---\n1.0 |ruby:>= 2\n');
  const asked = scene.asked.length;
  assert.equal((await scene.get(gem('1.0'))).status, 200);
  assert.equal((await scene.get(spec('1.0'))).status, 200);
  const refused = await scene.get(gem('1.1'));
  assert.equal(refused.status, 403);
  assert.match(refused.body.toString(), /example@1\.1 was published or first seen at .* is allowed from/);
  assert.equal((await scene.get(gem('1.0-java'))).status, 403);
  assert.equal((await scene.get(spec('1.1'))).status, 403);
  // What is known is asked for no more.
  assert.equal(scene.asked.length, asked + 2);
});

test('a lock file asks for no list, and the gateway asks for it itself', async () => {
  await using scene = await openRegistryScene(rule, serving({ ...gems, [info]: list, [versions]: told }));
  assert.equal((await scene.get(gem('1.1'))).status, 403);
  assert.equal((await scene.get(gem('1.0'))).status, 200);
  assert.deepEqual(scene.asked, [info, versions, gem('1.0')]);
});

test('an index that says it itself is enough', async () => {
  const own = `---\n1.0 |ruby:>= 2,created_at:${ago(400)}\n1.1 |created_at:${ago(1)}\n`;
  await using scene = await openRegistryScene(rule, serving({ ...gems, [info]: own }));
  assert.match((await scene.get(info)).body.toString(), /^---\n1\.0 [^\n]*\n$/);
  assert.equal((await scene.get(gem('1.1'))).status, 403);
  assert.equal((await scene.get(gem('1.0'))).status, 200);
  assert.ok(!scene.asked.includes(versions));
});

for (const [what, said] of [
  ['nothing', 404],
  ['nothing to anybody', 403],
  ['something else', '<html>'],
  ['the time of others alone', JSON.stringify([{ number: '9.9', created_at: ago(400) }])],
] as const)
  test(`where the registry says ${what} beside its index, files count from when they were seen`, async () => {
    const firstSeen = memoryFirstSeen();
    const files = { ...gems, [info]: list, [versions]: said };
    await using scene = await openRegistryScene(rule, serving(files), { firstSeen });
    assert.equal((await scene.get(gem('1.0'))).status, 403);
    firstSeen.age(4 * dayMs);
    const more = { ...files, [info]: `${list}1.2 |ruby:>= 2\n`, [gem('1.2')]: 'gem' };
    await using later = await openRegistryScene(rule, serving(more), { firstSeen });
    assert.equal((await later.get(info)).body.toString(), list);
    assert.equal((await later.get(gem('1.0'))).status, 200);
    assert.equal((await later.get(gem('1.2'))).status, 403);
  });

test('while the registry cannot say it, nothing is seen and nothing is old enough', async () => {
  const firstSeen = memoryFirstSeen();
  const files = { ...gems, [info]: list, [versions]: 503 };
  await using scene = await openRegistryScene(rule, serving(files), { firstSeen });
  assert.equal((await scene.get(gem('1.0'))).status, 403);
  assert.equal((await scene.get(info)).status, 403);
  assert.equal(firstSeen.rows.size, 0);
});

test('what a request with fields of its own is told of is not seen', async () => {
  const firstSeen = memoryFirstSeen();
  const files = { ...gems, [info]: list, [versions]: 404 };
  await using scene = await openRegistryScene(rule, serving(files), { firstSeen });
  assert.equal((await scene.get(info, ['X-Own: 1'])).status, 403);
  assert.equal(firstSeen.rows.size, 0);
});

test('without an age nobody asks beside the index', async () => {
  await using scene = await openRegistryScene(
    'registry: rubygems, deny: "example@1.1"',
    serving({ ...gems, [info]: list }),
  );
  assert.equal((await scene.get(info)).status, 200);
  assert.deepEqual(scene.asked, [info]);
});
