import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  chmod,
  copyFile,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SpoolFolder } from '../../../../src/gateway/audit/spool/spool-folder.ts';
import type { SpooledAudit } from '../../../../src/gateway/audit/spool/spooled-audit.ts';
import { waitUntil } from '../../../support/program.ts';
import { entry, type Scene, smallLimits, spoolScene } from './spool-scene.ts';

const child = fileURLToPath(new URL('spool-child.ts', import.meta.url));
const idForm = /^[0-9a-f]{8}-/;

/** Folders of spools, and in each its segments. */
async function segmentsOf(directory: string): Promise<readonly string[]> {
  const ids = (await readdir(directory)).filter((name) => idForm.test(name));
  const all = await Promise.all(
    ids.map(async (id) => (await readdir(join(directory, id))).map((name) => join(directory, id, name))),
  );
  return all
    .flat()
    .filter((path) => path.endsWith('.spool'))
    .sort();
}

const idsTo = (last: number): readonly string[] =>
  Array.from({ length: last }, (_, index) => `e${index + 1}`);

/** Appends e1 … in batches. */
async function fill(spool: SpooledAudit, last: number, batch = 10): Promise<void> {
  for (let at = 1; at <= last; at += batch)
    await spool.append(
      idsTo(last)
        .slice(at - 1, at - 1 + batch)
        .map((id) => entry(id)),
    );
}

/** A process that appended until it was killed; gives how many records it was told are safe. */
async function killedWriter({ directory }: Scene, batch: number): Promise<number> {
  const writer = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', child, directory, String(batch)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let safe = 0;
  for await (const line of createInterface({ input: writer.stdout })) {
    safe = Number(line);
    if (safe >= 40 * batch) break;
  }
  const ended = once(writer, 'exit');
  writer.kill('SIGKILL');
  await ended;
  return safe;
}

test('events reach the store in order and once, and the folder and its files are private', async () => {
  await using scene = await spoolScene();
  await using spool = await scene.open();
  spool.start();
  await fill(spool, 100);
  await spool.delivered();
  assert.deepEqual(scene.store.ids, idsTo(100));
  assert.equal((await lstat(scene.directory)).mode & 0o777, 0o700);
  const [segment = ''] = await segmentsOf(scene.directory);
  assert.equal((await lstat(segment)).mode & 0o777, 0o600);
});

test('while the store is away events are safe here, and all are delivered in order when it is back', async () => {
  await using scene = await spoolScene();
  await using spool = await scene.open();
  spool.start();
  await fill(spool, 20);
  await spool.delivered();
  scene.store.failure = 'before';
  await fill(spool, 50);
  assert.equal(spool.state.waitingRecords, 50);
  assert.equal(spool.hasRoom, true);
  scene.store.failure = 'none';
  await spool.delivered();
  assert.deepEqual(scene.store.ids, [...idsTo(20), ...idsTo(50)]);
  assert.equal(spool.state.waitingRecords, 0);
  assert.deepEqual(scene.faults, []);
});

test('a batch that did not arrive is delivered again, before what came after it', async () => {
  await using scene = await spoolScene();
  await using spool = await scene.open();
  spool.start();
  await fill(spool, 10);
  await spool.delivered();
  scene.store.failure = 'batch';
  await spool.append([entry('e11')]);
  await waitUntil('a batch was lost', () => scene.store.failed > 0);
  await spool.append([entry('e12')]);
  scene.store.failure = 'none';
  await spool.delivered();
  assert.deepEqual(scene.store.ids, idsTo(12));
});

test('a gateway whose events are delivered asks the database for nothing more', async () => {
  await using scene = await spoolScene();
  await using spool = await scene.open();
  spool.start();
  for (let batch = 1; batch <= 5; batch += 1) {
    await spool.append([entry(`e${batch}`)]);
    await spool.delivered();
  }
  // How far it is, once, and then one for each batch.
  assert.equal(scene.store.deliveries, 6);
});

test('a batch whose outcome is lost is not stored again', async () => {
  await using scene = await spoolScene();
  await using spool = await scene.open();
  scene.store.failure = 'after';
  await fill(spool, 30);
  spool.start();
  await waitUntil('a batch was stored', () => scene.store.ids.length === 30);
  scene.store.failure = 'none';
  await spool.delivered();
  assert.deepEqual(scene.store.ids, idsTo(30));
});

for (const batch of [1, 7, 100])
  test(`what a process that is killed while it appends batches of ${batch} was told is safe is delivered first by the next one`, async () => {
    await using scene = await spoolScene();
    const safe = await killedWriter(scene, batch);
    await using spool = await scene.open();
    await spool.append([entry('next')]);
    await spool.adopt();
    spool.start();
    await spool.delivered();
    const { ids } = scene.store;
    assert.ok(ids.length > safe, `${ids.length} of ${safe}`);
    assert.deepEqual(ids, [...idsTo(ids.length - 1), 'next']);
    assert.deepEqual(scene.gaps, []);
  });

test('a process that is killed between the commit and its own note of it delivers nothing twice at the next start', async () => {
  await using scene = await spoolScene();
  await killedWriter(scene, 5);
  scene.store.failure = 'after';
  {
    await using spool = await scene.open();
    await assert.rejects(spool.adopt(), { code: 'store_unavailable' });
  }
  const first = scene.store.ids.length;
  scene.store.failure = 'none';
  await using again = await scene.open();
  await again.adopt();
  const { ids } = scene.store;
  assert.deepEqual(ids, idsTo(ids.length));
  assert.ok(ids.length >= first);
});

test('a store that went back to an earlier place gets again what it has lost, also where nothing new comes', async () => {
  await using scene = await spoolScene();
  await using spool = await scene.open();
  spool.start();
  await fill(spool, 40);
  await spool.delivered();
  const [[id] = ['']] = [...scene.store.reached];
  scene.store.reached.set(id, 25);
  scene.store.ids.length = 25;
  await spool.append([entry('e41')]);
  await waitUntil('it has all again', () => scene.store.ids.length === 41);
  assert.deepEqual(scene.store.ids, idsTo(41));
});

test('a tail that is cut off is not delivered and nothing before it is lost', async () => {
  await using scene = await spoolScene();
  const safe = await killedWriter(scene, 3);
  const [segment = ''] = await segmentsOf(scene.directory);
  const { size } = await lstat(segment);
  await truncate(segment, size - 5);
  await using spool = await scene.open();
  await spool.adopt();
  const { ids } = scene.store;
  assert.deepEqual(ids, idsTo(ids.length));
  assert.ok(ids.length >= safe - 1);
  assert.deepEqual(scene.gaps, []);
});

test('zeros and other octets behind the last record are no records', async () => {
  await using scene = await spoolScene();
  const safe = await killedWriter(scene, 3);
  const [segment = ''] = await segmentsOf(scene.directory);
  await writeFile(
    segment,
    Buffer.concat([await readFile(segment), Buffer.alloc(5000), Buffer.from('x'.repeat(5000))]),
  );
  await using spool = await scene.open();
  await spool.adopt();
  assert.ok(scene.store.ids.length >= safe);
  assert.deepEqual(scene.store.ids, idsTo(scene.store.ids.length));
  assert.deepEqual(scene.gaps, []);
});

test('a damaged record in the middle is told with its number, and those behind it are delivered', async () => {
  await using scene = await spoolScene();
  await killedWriter(scene, 3);
  const [segment = ''] = await segmentsOf(scene.directory);
  const octets = await readFile(segment);
  octets.write('X', octets.indexOf('"e20"') + 1);
  await writeFile(segment, octets);
  await using spool = await scene.open();
  await spool.adopt();
  const { ids } = scene.store;
  assert.deepEqual(scene.gaps, [{ from: 20, through: 20 }]);
  assert.deepEqual(
    ids,
    idsTo(ids.length + 1).filter((id) => id !== 'e20'),
  );
});

test('a spool that cannot be read is told, and holds up neither the others nor the start', async (context) => {
  await using scene = await spoolScene();
  await killedWriter(scene, 3);
  const [first = ''] = await segmentsOf(scene.directory);
  await killedWriter(scene, 3);
  const unreadable = basename(dirname(first));
  const { read } = SpoolFolder.prototype;
  context.mock.method(
    SpoolFolder.prototype,
    'read',
    function (this: SpoolFolder, ...given: Parameters<typeof read>) {
      if (given[0] === unreadable) throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
      return read.apply(this, given);
    },
  );
  await using spool = await scene.open();
  await spool.adopt();
  const { ids } = scene.store;
  assert.ok(ids.length > 0);
  assert.deepEqual(ids, idsTo(ids.length));
  assert.match(scene.faults[0]?.message ?? '', /EIO/);
});

test('what is no record is searched in steps, between which others have their turn', async (context) => {
  await using scene = await spoolScene();
  await killedWriter(scene, 3);
  const [segment = ''] = await segmentsOf(scene.directory);
  await writeFile(segment, Buffer.concat([await readFile(segment), Buffer.alloc(256 * 1024)]));
  // Each place that is tried is one of these.
  const tried = context.mock.method(DataView.prototype, 'getUint32');
  let [most, isOver] = [0, false];
  const turn = (): void => {
    most = Math.max(most, tried.mock.callCount());
    tried.mock.resetCalls();
    if (!isOver) setImmediate(turn);
  };
  turn();
  await using spool = await scene.open();
  await spool.adopt();
  isOver = true;
  assert.ok(most >= 60_000 && most <= 150_000, String(most));
});

test('a damaged last record of the own spool is asked for no more than once, and told with the next one', async () => {
  await using scene = await spoolScene();
  await using spool = await scene.open();
  await spool.append([entry('e1')]);
  await spool.append([entry('e2')]);
  const [segment = ''] = await segmentsOf(scene.directory);
  const octets = await readFile(segment);
  octets.write('X', octets.indexOf('"e2"') + 1);
  await writeFile(segment, octets);
  spool.start();
  await waitUntil('it has the first', () => scene.store.ids.length === 1);
  const { deliveries } = scene.store;
  // As long as a reader that looks again at once would need to look a hundred times.
  for (let turn = 0; turn < 100; turn += 1) await readFile(segment);
  assert.ok(scene.store.deliveries <= deliveries + 2, String(scene.store.deliveries - deliveries));
  await spool.append([entry('e3')]);
  await spool.delivered();
  assert.deepEqual(scene.store.ids, ['e1', 'e3']);
  assert.deepEqual(scene.gaps, [{ from: 2, through: 2 }]);
});

test('what a process left open is told once its spool is delivered, and what ended in it is not', async () => {
  await using scene = await spoolScene();
  {
    await using first = await scene.open();
    scene.store.failure = 'before';
    first.start();
    await first.append([], [entry('open'), entry('ended')]);
    await first.append([entry('ended', { wasOpen: true })]);
    await waitUntil('it is away', () => scene.store.deliveries > 0);
  }
  scene.store.failure = 'none';
  await using next = await scene.open();
  await next.adopt();
  assert.deepEqual(
    (await next.leftOpen(10)).map(({ id }) => id),
    ['open'],
  );
  assert.deepEqual(scene.store.ids, ['ended']);
});

test('a full spool begins nothing new, takes what runs, and then no more; nothing of it is lost', async () => {
  await using scene = await spoolScene();
  await using spool = await scene.open({ limits: { ...smallLimits, spoolBytesMax: 64 * 1024 } });
  scene.store.failure = 'before';
  spool.start();
  let taken = 0;
  let takenWithoutRoom = 0;
  const json = JSON.stringify({ text: 'x'.repeat(500) });
  await assert.rejects(
    async () => {
      for (;;) {
        await spool.append([entry(`e${taken + 1}`, { json })]);
        taken += 1;
        if (!spool.hasRoom) takenWithoutRoom += 1;
      }
    },
    { code: 'audit_unavailable', limit: 'spoolBytesMax' },
  );
  assert.ok(takenWithoutRoom >= 3, String(takenWithoutRoom));
  scene.store.failure = 'none';
  await spool.delivered();
  assert.deepEqual(scene.store.ids, idsTo(taken));
  await waitUntil('there is room again', () => spool.hasRoom);
  await spool.append([entry('more')]);
  await spool.delivered();
  assert.equal(scene.store.ids.at(-1), 'more');
});

test('on a full disk the reserve takes what runs, nothing new is begun, and there is room again when the disk has some', async () => {
  await using scene = await spoolScene();
  let room = Infinity;
  let reserve = '';
  const openFile: typeof open = async (path, ...given) => {
    const file = await open(path, ...given);
    if (String(path).endsWith('reserve')) reserve = String(path);
    const write = file.write.bind(file);
    file.write = (async (bytes: Uint8Array, offset: number, length: number, at: number) => {
      // What it gives back.
      if (room === 0 && !existsSync(reserve)) room = 1000;
      if (length > room)
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      room -= length;
      return await write(bytes, offset, length, at);
    }) as typeof file.write;
    return file;
  };
  await using spool = await scene.open({ openFile });
  spool.start();
  await spool.append([entry('e1')]);
  room = 0;
  await spool.append([entry('e2')]);
  assert.equal(spool.hasRoom, false, 'the reserve is gone');
  room = 1;
  const late = spool.append([entry('e3')]);
  await assert.rejects(late, { code: 'audit_unavailable', message: /no space is left/ });
  room = Infinity;
  await spool.append([entry('e3')]);
  await waitUntil('there is a reserve again', () => spool.hasRoom);
  await spool.delivered();
  assert.deepEqual(scene.store.ids, idsTo(3));
});

test('a file whose sync failed is never written again, and its batch goes to another one', async () => {
  await using scene = await spoolScene();
  let isBroken = false;
  const opened: string[] = [];
  const openFile: typeof open = async (path, ...rest) => {
    const file = await open(path, ...rest);
    opened.push(String(path));
    const datasync = file.datasync.bind(file);
    file.datasync = async () => {
      await datasync();
      if (isBroken) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    };
    return file;
  };
  await using spool = await scene.open({ openFile });
  spool.start();
  await spool.append([entry('e1')]);
  isBroken = true;
  await assert.rejects(spool.append([entry('e2'), entry('e3')]), {
    code: 'audit_unavailable',
    message: /device reports a fault/,
  });
  isBroken = false;
  // Other records under the same numbers.
  await spool.append([entry('e3')]);
  await spool.append([entry('e2'), entry('e4')]);
  await spool.delivered();
  const ids = ['e1', 'e3', 'e2', 'e4'];
  assert.deepEqual(scene.store.ids, ids);
  assert.equal(opened.filter((path) => path.endsWith('.spool')).length, 2);
  // A next process finds both batches in files.
  scene.store.reached.clear();
  scene.store.ids.length = 0;
  await spool.close();
  await using next = await scene.open();
  await next.adopt();
  assert.deepEqual(scene.store.ids, ids);
});

test('segments are bounded in size, and what was delivered long ago goes', async () => {
  await using scene = await spoolScene();
  await using spool = await scene.open({
    limits: { ...smallLimits, spoolSegmentBytes: 2000, spoolKeptBytesMax: 4000 },
  });
  spool.start();
  await fill(spool, 300);
  await spool.delivered();
  await waitUntil('old ones are gone', async () => (await segmentsOf(scene.directory)).length < 6);
  for (const path of await segmentsOf(scene.directory)) assert.ok((await lstat(path)).size < 4000);
  assert.deepEqual(scene.store.ids, idsTo(300));
});

test('a link, a file of others and one of another spool are told, left alone and never delivered', async () => {
  await using scene = await spoolScene();
  const safe = await killedWriter(scene, 3);
  const [segment = ''] = await segmentsOf(scene.directory);
  const folder = join(segment, '..');
  const place = (number: number): string => join(folder, `000000009${number}.spool`);
  await symlink(segment, place(1));
  await copyFile(segment, place(2));
  await chmod(place(2), 0o644);
  await writeFile(place(3), 'UPSPOOL1 and what is no header of ours, though it begins so', { mode: 0o600 });
  await mkdir(place(4));
  const other = '00000000-0000-4000-8000-000000000000';
  await mkdir(join(scene.directory, other), { mode: 0o700 });
  await copyFile(segment, join(scene.directory, other, '0000000001.spool'));
  await chmod(join(scene.directory, other, '0000000001.spool'), 0o600);
  await using spool = await scene.open();
  await spool.adopt();
  const { ids } = scene.store;
  assert.ok(ids.length >= safe);
  assert.deepEqual(ids, idsTo(ids.length));
  const told = scene.faults.map(({ message }) => message).join('\n');
  for (const why of [
    /symbolic link/,
    /mode 600/,
    /does not begin as a segment/,
    /not a regular file/,
    /belongs to the spool/,
  ])
    assert.match(told, why);
  assert.equal((await lstat(place(1))).isSymbolicLink(), true);
});

test('a segment that has another name elsewhere is told, and never delivered', async () => {
  await using scene = await spoolScene();
  await killedWriter(scene, 3);
  const [segment = ''] = await segmentsOf(scene.directory);
  await link(segment, `${scene.directory}-elsewhere`);
  await using spool = await scene.open();
  await spool.adopt();
  assert.deepEqual(scene.store.ids, []);
  assert.match(scene.faults.map(({ message }) => message).join(), /another name/);
});

test('a spool is refused where its folder is open to others, or a link', async () => {
  await using scene = await spoolScene();
  await mkdir(scene.directory);
  await chmod(scene.directory, 0o755);
  await assert.rejects(scene.open(), { code: 'audit_unavailable', message: /make it mode 700/ });
  await chmod(scene.directory, 0o700);
  await rename(scene.directory, `${scene.directory}-real`);
  await symlink(`${scene.directory}-real`, scene.directory);
  await assert.rejects(scene.open(), { code: 'audit_unavailable', message: /symbolic link|not a folder/ });
  await rm(scene.directory);
  await writeFile(scene.directory, '');
  await assert.rejects(scene.open(), { code: 'audit_unavailable', message: /file is in its place/ });
});

test('the spool of a process that runs is not adopted by another one', async () => {
  await using scene = await spoolScene();
  await using one = await scene.open();
  await one.append([entry('of-one')]);
  await using other = await scene.open();
  await other.adopt();
  assert.deepEqual(scene.store.ids, []);
  one.start();
  await one.delivered();
  assert.deepEqual(scene.store.ids, ['of-one']);
});
