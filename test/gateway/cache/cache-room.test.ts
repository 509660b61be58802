// Room on a disk that others write too, and for what only says that it is long.

import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { CacheFolder } from '../../../src/gateway/cache/cache-folder.ts';
import { CacheRoom, shortDisk } from '../../../src/gateway/cache/cache-room.ts';
import { FetchRoom } from '../../../src/gateway/cache/fetch-room.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const MiB = 1024 ** 2;
const nameOf = (n: number): string => String(n).padStart(64, '0');

interface Scene {
  readonly folder: CacheFolder;
  readonly room: CacheRoom;
  /** What others have on the disk. */
  others: number;
  left: number;
  kept(): Promise<number>;
}

/** A cache with so many objects of 1 MiB on a disk of 64 MiB, of which 8 have to stay free. */
async function openScene(directory: string, count: number, keepBytes = 64 * MiB): Promise<Scene> {
  const folder = await CacheFolder.open(join(directory, 'cache'));
  for (let n = 0; n < count; n += 1) {
    const path = folder.objectPath(nameOf(n));
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, Buffer.alloc(MiB));
  }
  const kept = async (): Promise<number> =>
    (await Array.fromAsync(folder.files())).reduce((sum, { bytes }) => sum + bytes, 0);
  const disk = async (): Promise<{ readonly bytes: number; readonly freeBytes: number }> => ({
    bytes: 64 * MiB,
    freeBytes: 64 * MiB - scene.others - (await kept()),
  });
  const room = new CacheRoom({
    folder: { files: () => folder.files(), disk },
    keepBytes,
    reserveBytes: 100 * MiB,
    onLeft: (files) => void (scene.left += files),
  });
  const scene: Scene = { folder, room, others: 0, left: 0, kept };
  return scene;
}

test('what others take of the disk, the cache gives back: a part stays free, and nothing comes where there is no more', () =>
  withTemporaryDirectory(async (directory) => {
    const scene = await openScene(directory, 20);
    assert.equal(await scene.room.take('s', MiB), true);
    assert.equal(scene.left, 0);
    scene.others = 50 * MiB;
    await scene.room.look();
    const kept = await scene.kept();
    assert.ok(kept > 0 && 64 * MiB - scene.others - kept >= 8 * MiB, String(kept));
    scene.others = 60 * MiB;
    await assert.rejects(scene.room.take('s', MiB), { limit: 'cacheDiskReserveBytes' });
    assert.equal(await scene.kept(), 0);
    scene.others = 0;
    assert.equal(await scene.room.take('s', MiB), true);
  }));

test('a disk that took nothing more though it says that it has room is given a part back, and is tried again little by little', () =>
  withTemporaryDirectory(async (directory) => {
    const scene = await openScene(directory, 20);
    await scene.room.look();
    await scene.room.full();
    const kept = await scene.kept();
    assert.ok(kept > 0 && kept < 19 * MiB, String(kept));
    assert.equal(await scene.room.take('s', 4 * MiB), true);
    await scene.room.look();
    assert.ok((await scene.kept()) + 4 * MiB <= 19 * MiB);
    for (let looks = 0; looks < 16; looks += 1) await scene.room.lookAgain();
    const before = scene.left;
    assert.equal(await scene.room.take('s', 8 * MiB), true);
    assert.equal(scene.left, before);
  }));

test('what only says that it is long displaces nothing, and one session no more than its share', () =>
  withTemporaryDirectory(async (directory) => {
    const scene = await openScene(directory, 20, 32 * MiB);
    const fetches = [0, 1, 2, 3, 4].map(() => new FetchRoom(scene.room, 's', 32 * MiB));
    for (const fetch of fetches) assert.equal(await fetch.reach(1, 8 * MiB), true);
    assert.equal(scene.left, 0);
    for (const fetch of fetches) fetch.close();
    assert.equal(scene.room.bytes, 20 * MiB);
    assert.equal(await scene.room.take('s', 1024 * MiB), false);
    assert.equal(await scene.room.take('s', 8 * MiB), true);
    assert.equal(await scene.room.take('s', 4096), false);
    assert.equal(await scene.room.take('t', 8 * MiB), true);
    assert.equal(await scene.room.take('u', 4096), false);
    assert.ok((await scene.kept()) >= 13 * MiB);
  }));

test('a file that has left takes its room until the last one that reads it has closed it', () =>
  withTemporaryDirectory(async (directory) => {
    const scene = await openScene(directory, 20, 32 * MiB);
    const closed = Array.from({ length: 16 }, (_, n) => [0, 1].map(() => scene.room.opened(nameOf(n), MiB)));
    for (let n = 0; n < 16; n += 1) await rm(scene.folder.objectPath(nameOf(n)));
    await scene.room.look();
    assert.equal(scene.room.bytes, 20 * MiB);
    assert.equal(await scene.room.take('s', 4096), false);
    for (const [first] of closed) first?.();
    assert.equal(await scene.room.take('s', 4096), false);
    for (const [, second] of closed) second?.();
    assert.equal(scene.room.bytes, 4 * MiB);
    assert.equal(await scene.room.take('s', 4096), true);
  }));

test('a disk that is smaller than what may be kept is told', () => {
  const disk = { bytes: 5 * 1024 * MiB, freeBytes: 0 };
  assert.equal(shortDisk(10 * 1024 * MiB, disk, 512 * MiB), 4608 * MiB);
  assert.equal(shortDisk(4608 * MiB, disk, 512 * MiB), undefined);
  assert.equal(shortDisk(64 * MiB, { bytes: 64 * MiB, freeBytes: 0 }, 512 * MiB), 56 * MiB);
});
