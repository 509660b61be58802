import assert from 'node:assert/strict';
import { randomBytes, randomUUIDv7 } from 'node:crypto';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { CapturedBodies, type CapturedBodiesOptions } from '../../../src/gateway/captured/captured-bodies.ts';
import type { CapturedExchange } from '../../../src/gateway/captured/captured-exchange.ts';
import { keyFromText, keyOfFile } from '../../../src/gateway/captured/day-keys.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const dayMs = 86_400_000;

function exchange(text: string | Buffer): CapturedExchange {
  const bytes = new Uint8Array(Buffer.from(text as string));
  return {
    request: { bytes, type: 'text/plain', isWhole: true, redacted: 0 },
    response: {
      bytes: new Uint8Array([0, 255]),
      coding: 'gzip',
      isWhole: false,
      redacted: 2,
      isWithheld: true,
    },
  };
}

async function openScene(changes: Partial<CapturedBodiesOptions> = {}) {
  const folder = await temporaryDirectory();
  const limits: string[] = [];
  const faults: ProxyError[] = [];
  const open = (more: Partial<CapturedBodiesOptions> = {}): CapturedBodies =>
    new CapturedBodies({
      directory: join(folder.path, 'captured'),
      keepDays: 7,
      keepBytes: 1024 ** 3,
      gatewayKey: () => keyOfFile(join(folder.path, 'captured.key')),
      clock: Date.now,
      onLimit: (limit) => limits.push(limit),
      onFault: (error) => faults.push(error),
      ...changes,
      ...more,
    });
  return { folder, limits, faults, open, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

test('what is kept comes back, also from another process, and nothing of it is readable on the disk', async () => {
  await using scene = await openScene();
  const id = randomUUIDv7();
  const kept = exchange('{"canary":"canary-44aa"}');
  {
    await using bodies = scene.open();
    assert.ok(bodies.put(id, 'red', kept));
    assert.deepEqual(await bodies.read(id), { ...kept });
  }
  await using other = scene.open();
  assert.equal(Buffer.from((await other.read(id))!.request!.bytes).toString(), '{"canary":"canary-44aa"}');
  const files = await readdir(scene.folder.path, { recursive: true, withFileTypes: true });
  const texts = await Promise.all(
    files.filter((one) => one.isFile()).map((one) => readFile(join(one.parentPath, one.name), 'latin1')),
  );
  assert.ok(texts.length === 3, 'a key of the gateway, a key of the day, a body');
  for (const text of texts) assert.doesNotMatch(text, /canary|text\/plain/);
  assert.deepEqual(scene.faults, []);
});

test('another key, a changed octet, or the body of another event opens nothing', async () => {
  await using scene = await openScene();
  const [id, second] = [randomUUIDv7(), randomUUIDv7()];
  await using bodies = scene.open();
  bodies.put(id, 'red', exchange('a'));
  bodies.put(second, 'red', exchange('b'));
  await bodies.read(id);
  await using stranger = scene.open({
    gatewayKey: () => Promise.resolve(keyFromText(randomBytes(32).toString('base64'))),
  });
  await assert.rejects(stranger.read(id), { code: 'config_invalid' });
  const [day = ''] = await readdir(join(scene.folder.path, 'captured'));
  const place = (one: string): string => join(scene.folder.path, 'captured', day, `${one}.body`);
  await cp(place(second), place(id));
  await assert.rejects(bodies.read(id), { code: 'internal' });
  const sealed = await readFile(place(second));
  sealed[20]! ^= 1;
  await writeFile(place(second), sealed);
  await assert.rejects(bodies.read(second), { code: 'internal' });
  for (const odd of ['../../captured.key', 'key', '', `${id}/..`, randomUUIDv7()])
    assert.equal(await bodies.read(odd), undefined, odd);
});

test('a day that is over is removed whole, and one that is not stays', async () => {
  let nowMs = Date.now();
  await using scene = await openScene({ clock: () => nowMs, keepDays: 2 });
  await using bodies = scene.open();
  const id = randomUUIDv7();
  bodies.put(id, 'red', exchange('a'));
  await bodies.read(id);
  nowMs += 2 * dayMs;
  await bodies.expire();
  assert.ok((await bodies.read(id)) !== undefined);
  nowMs += dayMs;
  await using another = scene.open({ isOnDuty: () => false });
  await another.expire();
  assert.ok((await bodies.read(id)) !== undefined, 'one process removes');
  await bodies.expire();
  assert.equal(await bodies.read(id), undefined);
  assert.deepEqual(await readdir(join(scene.folder.path, 'captured')), []);
});

test('one session that floods has its share, and the disk its bound; what was kept stays', async () => {
  await using scene = await openScene({ keepBytes: 3 * 1024 * 1024 });
  const body = exchange(randomBytes(1024 * 1024));
  await using bodies = scene.open();
  const first = randomUUIDv7();
  const taken = [first, ...Array.from({ length: 20 }, () => randomUUIDv7())].map((id) =>
    bodies.put(id, 'red', body),
  );
  assert.ok(taken[0]);
  assert.equal(taken.filter(Boolean).length, 2);
  await bodies.read(first);
  assert.ok(bodies.put(randomUUIDv7(), 'blue', exchange('small')));
  assert.ok((await bodies.read(first)) !== undefined);
  // Another process counts what is there before it writes.
  await using other = scene.open();
  other.put(randomUUIDv7(), 'blue', exchange('small'));
  await other.read(first);
  assert.equal(other.put(randomUUIDv7(), 'green', body), false);
  assert.ok(scene.limits.length > 0);
});

test('what waits for a slow disk is bounded for each session and for all', async () => {
  const { promise, resolve } = Promise.withResolvers<ReturnType<typeof keyFromText>>();
  await using scene = await openScene({ gatewayKey: () => promise });
  await using bodies = scene.open();
  const body = exchange(randomBytes(1024 * 1024));
  const taken = new Map<string, number>();
  for (const session of ['a', 'b', 'c', 'd', 'e', 'f'])
    for (let count = 0; count < 10; count += 1)
      if (bodies.put(randomUUIDv7(), session, body)) taken.set(session, (taken.get(session) ?? 0) + 1);
  const all = [...taken.values()].reduce((sum, one) => sum + one, 0);
  assert.ok(all <= defaultLimits.capturedWaitingBytesMax / 1024 ** 2, `${all}`);
  assert.ok(Math.max(...taken.values()) <= 4 && taken.size >= 4, JSON.stringify([...taken]));
  resolve(keyFromText(randomBytes(32).toString('hex')));
});

test('a disk that takes nothing is told once, and nothing is thrown', async () => {
  await using scene = await openScene();
  const at = join(scene.folder.path, 'file');
  await writeFile(at, '');
  await using bodies = scene.open({ directory: join(at, 'below') });
  for (let count = 0; count < 3; count += 1) bodies.put(randomUUIDv7(), 'red', exchange('a'));
  await bodies.expire();
  await bodies[Symbol.asyncDispose]();
  assert.ok(scene.faults.length >= 1 && scene.faults.length <= 2, `${scene.faults.length}`);
});

test('the key of a source is 32 random octets, in any of their forms, and never a password', () => {
  const octets = randomBytes(32);
  const texts = (['hex', 'base64', 'base64url'] as const).map((form) => octets.toString(form));
  const keys = texts.map((text) => Buffer.from(keyFromText(text).reveal()).toString('hex'));
  assert.equal(new Set(keys).size, 1);
  assert.notEqual(keys[0], octets.toString('hex'));
  for (const text of [
    'correct horse battery staple',
    '',
    'a'.repeat(64),
    `${texts[0]}00`,
    texts[0]!.slice(2),
  ])
    assert.throws(() => keyFromText(text), {
      code: 'config_invalid',
      message: /^captured\.source is not 32 random octets .*openssl rand -base64 32"$/,
    });
});
