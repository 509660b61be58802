// Images count from when a gateway of the store saw their digest first; a tag is what it stands for when it is asked for.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { memoryFirstSeen } from '../../support/first-seen-store.ts';
import { openRegistryScene, type RegistryScene, type Respond, serving } from '../support/registry-scene.ts';

const dayMs = 86_400_000;
const rule = 'registry: oci, minAge: 3d';
const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const at = (reference: string): string => `/v2/team/app/manifests/${reference}`;
const blobAt = (text: string): string => `/v2/team/app/blobs/${digestOf(text)}`;

interface Image {
  readonly layer: string;
  readonly manifest: string;
}

function imageOf(layer: string): Image {
  const described = (text: string): object => ({ digest: digestOf(text), size: text.length });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: described(`config of ${layer}`),
    layers: [described(layer)],
  });
  return { layer, manifest };
}

const one = imageOf('one');
const two = imageOf('two');
const index = JSON.stringify({ schemaVersion: 2, manifests: [{ digest: digestOf(one.manifest) }] });
const files: Readonly<Record<string, string>> = {
  [at('latest')]: one.manifest,
  [at(digestOf(one.manifest))]: one.manifest,
  [at(digestOf(two.manifest))]: two.manifest,
  [at('many')]: index,
  [at(digestOf(index))]: index,
  [blobAt('one')]: 'one',
  [blobAt('two')]: 'two',
  [blobAt('config of one')]: 'config of one',
};

async function comes(scene: RegistryScene, path: string): Promise<void> {
  const { status, isWhole, body } = await scene.get(path);
  assert.ok(status === 200 && isWhole, `${path}: ${body.toString()}`);
}

test('an image and its layers are too young until its digest was seen for so long', async () => {
  const firstSeen = memoryFirstSeen();
  const open = (): ReturnType<typeof openRegistryScene> =>
    openRegistryScene(rule, serving(files), { firstSeen });
  await using scene = await open();
  const image = at(digestOf(one.manifest));
  const refused = await scene.get(image);
  assert.equal(refused.status, 403);
  assert.match(
    refused.body.toString(),
    /team\/app@sha256:[0-9a-f]+ was first seen at .* and is allowed from/,
  );
  assert.equal((await scene.get(blobAt('one'))).status, 403);
  assert.deepEqual(scene.asked, [image]);
  firstSeen.age(3 * dayMs - 60_000);
  await using almost = await open();
  for (const path of [image, at('latest'), blobAt('one')])
    assert.equal((await almost.get(path)).status, 403, path);
  firstSeen.age(60_000);
  await using later = await open();
  for (const path of [image, at('latest'), blobAt('one'), blobAt('config of one')]) await comes(later, path);
  // What another image has is another thing.
  assert.equal((await later.get(blobAt('two'))).status, 403);
});

test('a tag that names a young image now is refused, and the older one comes by its digest', async () => {
  const firstSeen = memoryFirstSeen();
  const served = { ...files };
  const open = (): ReturnType<typeof openRegistryScene> =>
    openRegistryScene(rule, serving(served), { firstSeen });
  await using first = await open();
  assert.equal((await first.get(at('latest'))).status, 403);
  firstSeen.age(4 * dayMs);
  await using scene = await open();
  await comes(scene, at('latest'));
  served[at('latest')] = two.manifest;
  const refused = await scene.get(at('latest'));
  assert.equal(refused.status, 403);
  assert.match(refused.body.toString(), /team\/app@latest was first seen at/);
  await comes(scene, at(digestOf(one.manifest)));
});

test('a tag that moves between what was judged and what is delivered is cut off', async () => {
  const firstSeen = memoryFirstSeen();
  let asked = 0;
  const respond: Respond = (request, response) => {
    if (request.url !== at('latest')) return serving(files)(request, response);
    asked += 1;
    // The first of each two is the question of the gateway.
    const said = asked % 2 === 1 ? one.manifest : two.manifest;
    serving({ [at('latest')]: said })(request, response);
  };
  await using first = await openRegistryScene(rule, serving(files), { firstSeen });
  await first.get(at('latest'));
  firstSeen.age(4 * dayMs);
  await using scene = await openRegistryScene(rule, respond, { firstSeen });
  // No octet of it comes: all of it is its end.
  const { body } = await scene.get(at('latest'));
  assert.equal(body.length, 0);
  const alarm = (await scene.path.events(2)).find(({ kind }) => kind === 'alarm');
  assert.equal(alarm?.action, 'package_altered');
});

test('layers of an index are as old as the index is, though nobody has read the manifest between them', async () => {
  const firstSeen = memoryFirstSeen();
  const open = (): ReturnType<typeof openRegistryScene> =>
    openRegistryScene(rule, serving(files), { firstSeen });
  await using first = await open();
  assert.equal((await first.get(at('many'))).status, 403);
  firstSeen.age(4 * dayMs);
  await using scene = await open();
  for (const path of [at('many'), at(digestOf(index)), at(digestOf(one.manifest)), blobAt('one')])
    await comes(scene, path);
});

for (const [what, found] of [
  ['has not', 404],
  ['cannot tell of', 503],
  ['shows something else for', two.manifest],
] as const)
  test(`an image that the registry ${what} is not seen, so that nobody makes it old before it comes out`, async () => {
    const firstSeen = memoryFirstSeen();
    const path = at(digestOf(one.manifest));
    await using scene = await openRegistryScene(rule, serving({ [path]: found }), { firstSeen });
    assert.equal((await scene.get(path)).status, 403);
    assert.equal((await scene.get(blobAt('one'))).status, 403);
    assert.equal(firstSeen.rows.size, 0);
  });

test('a manifest that names too much, or is none, is never old enough', async () => {
  const firstSeen = memoryFirstSeen();
  const layers = Array.from({ length: 1001 }, (_, i) => ({ digest: digestOf(String(i)) }));
  const said = { [at('large')]: JSON.stringify({ layers }), [at('page')]: '<html>' };
  await using scene = await openRegistryScene(rule, serving(said), { firstSeen });
  for (const path of Object.keys(said)) assert.equal((await scene.get(path)).status, 403, path);
  assert.equal(firstSeen.rows.size, 0);
});

test('an exception lets a repository through, and other requests of it need no age', async () => {
  const until = new Date(Date.now() + dayMs).toISOString();
  const excepted = `${rule}, exceptions: [{ package: team/app, reason: the first day, until: "${until}" }]`;
  await using scene = await openRegistryScene(excepted, serving(files));
  for (const path of [at('latest'), at(digestOf(one.manifest)), blobAt('one')])
    assert.equal((await scene.get(path)).status, 200, path);
  await using bound = await openRegistryScene(
    rule,
    serving({ '/v2/': '{}', '/v2/team/app/tags/list': '{}' }),
  );
  for (const path of ['/v2/', '/v2/team/app/tags/list'])
    assert.equal((await bound.get(path)).status, 200, path);
});
