import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { cp, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { CapturedBodies, type CapturedBodiesOptions } from '../../../src/gateway/captured/captured-bodies.ts';
import { keyOfFile } from '../../../src/gateway/captured/day-keys.ts';
import { Recording } from '../../../src/gateway/captured/recording.ts';
import { recordingPage } from '../../../src/gateway/captured/recording-page.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const size = { columns: 80, rows: 24 };
const dayMs = 86_400_000;

async function openScene(changes: Partial<CapturedBodiesOptions> = {}) {
  const folder = await temporaryDirectory();
  const limits: string[] = [];
  const directory = join(folder.path, 'captured');
  const bodies = new CapturedBodies({
    directory,
    keepDays: 7,
    keepBytes: 1024 ** 3,
    gatewayKey: () => keyOfFile(join(folder.path, 'captured.key')),
    clock: Date.now,
    onLimit: (limit) => limits.push(limit),
    onFault: () => undefined,
    ...changes,
  });
  return {
    bodies,
    limits,
    directory,
    /** The file of a recording. */
    place: async (id: string): Promise<string> => {
      const [day = ''] = await readdir(directory);
      return join(directory, day, `${id}.recording`);
    },
    [Symbol.asyncDispose]: async () => {
      await bodies[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const linesOf = (text: string): unknown[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

test('what a shell shows comes back in its order, as asciicast, and nothing of it is readable on the disk', async () => {
  let nowMs = Date.now();
  await using scene = await openScene({ clock: () => nowMs });
  const id = randomUUIDv7();
  const recording = await scene.bodies.record(id, 'red', size);
  const euro = Buffer.from('€');
  await recording.add('output', Buffer.from('canary-77 \u001b]52;c;eA==\u0007'));
  nowMs += 1500;
  // Of sizes that nothing is shown between, the last one counts.
  recording.resized({ columns: 90, rows: 30 });
  recording.resized({ columns: 100, rows: 50 });
  // In the pieces in which they come, both outputs at once.
  await Promise.all([
    recording.add('output', euro.subarray(0, 1)),
    recording.add('error', Buffer.from('beside')),
    recording.add('output', euro.subarray(1)),
  ]);
  // Set back, as clocks are.
  nowMs -= 5000;
  await recording.add('output', Buffer.from([0x61, 0xff, 0xe2]));
  await recording.end();
  await recording.end();
  const read = await scene.bodies.readRecording(id);
  assert.ok(read?.isWhole);
  assert.equal(read.bytes, recording.bytes);
  // Whoever prints the lines sees text.
  assert.match(read.text, /^[\x20-\x7e\n]*$/);
  const [head, ...events] = linesOf(read.text);
  assert.deepEqual(head, { version: 2, width: 80, height: 24, timestamp: Math.floor((nowMs + 3500) / 1000) });
  assert.deepEqual(events, [
    [0, 'o', 'canary-77 \u001b]52;c;eA==\u0007'],
    [1.5, 'r', '100x50'],
    [1.5, 'o', 'beside'],
    [1.5, 'o', '€'],
    [1.5, 'o', 'a\ufffd'],
    [1.5, 'b', 'o Yf8='],
    [1.5, 'o', '\ufffd'],
    [1.5, 'b', 'o 4g=='],
  ]);
  const sealed = await readFile(await scene.place(id), 'latin1');
  assert.doesNotMatch(sealed, /canary|version|beside/);
  assert.equal(await scene.bodies.read(id), undefined);
  for (const odd of ['../key', '', randomUUIDv7()])
    assert.equal(await scene.bodies.readRecording(odd), undefined);
});

test('no octet is lost, whether it is UTF-8 or not, and however it comes in pieces', async () => {
  await using scene = await openScene();
  // Bytes of one seed: characters of all lengths, cut off and whole, and what is none.
  const parts = ['a', 'é', '€', '😀', '\ufffd'].map((one) => Buffer.from(one));
  const odd = [0x80, 0xbf, 0xc0, 0xc2, 0xe2, 0xed, 0xf0, 0xf4, 0xf5, 0xff].map((one) => Buffer.from([one]));
  let seed = 7;
  const below = (max: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % max;
  };
  for (let round = 0; round < 6; round += 1) {
    const from = round % 2 === 0 ? parts : [...parts, ...odd];
    const sent = Buffer.concat(Array.from({ length: 60 }, () => from[below(from.length)] ?? Buffer.alloc(0)));
    const id = randomUUIDv7();
    {
      await using recording = await scene.bodies.record(id, 'red', size);
      for (let at = 0; at < sent.length;) {
        const end = at + 1 + below(6);
        await recording.add('input', sent.subarray(at, end));
        at = end;
      }
    }
    const events = linesOf((await scene.bodies.readRecording(id))?.text ?? '').slice(1) as [
      number,
      string,
      string,
    ][];
    const pieces = events.flatMap(([, code, text], at) => {
      if (code === 'b') return [Buffer.from(text.replace(/^i /, ''), 'base64')];
      return events[at + 1]?.[1] === 'b' ? [] : [Buffer.from(text)];
    });
    assert.deepEqual(Buffer.concat(pieces), sent);
    if (round % 2 === 0)
      assert.ok(
        events.every(([, code]) => code === 'i'),
        'text alone needs no octets',
      );
  }
});

test('what is cut off, changed, moved or added is seen, and what stands before it is there', async () => {
  await using scene = await openScene();
  const [id, other] = [randomUUIDv7(), randomUUIDv7()];
  for (const one of [id, other]) {
    await using recording = await scene.bodies.record(one, 'red', size);
    for (const text of ['a', 'b', 'c']) await recording.add('output', Buffer.from(text));
  }
  const place = await scene.place(id);
  const whole = await readFile(place);
  const lengths: number[] = [];
  for (let at = 0; at < whole.length; at += 4 + (lengths.at(-1) ?? 0)) lengths.push(whole.readUInt32BE(at));
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, one) => sum + 4 + one, 0));
  const seen = async (kept: Buffer): Promise<unknown[]> => {
    await writeFile(place, kept);
    const read = await scene.bodies.readRecording(id);
    assert.equal(read?.isWhole, false);
    return linesOf(read.text)
      .slice(1)
      .map((line) => (line as unknown[])[2]);
  };
  assert.deepEqual(await seen(whole.subarray(0, -1)), ['a', 'b', 'c']);
  assert.deepEqual(await seen(whole.subarray(0, starts[4])), ['a', 'b', 'c']);
  assert.deepEqual(await seen(Buffer.concat([whole, whole])), ['a', 'b', 'c']);
  const changed = Buffer.from(whole);
  changed[(starts[2] ?? 0) + 20]! ^= 1;
  assert.deepEqual(await seen(changed), ['a']);
  const swapped = Buffer.concat([
    whole.subarray(0, starts[1]),
    whole.subarray(starts[2], starts[3]),
    whole.subarray(starts[1], starts[2]),
    whole.subarray(starts[3]),
  ]);
  assert.deepEqual(await seen(swapped), []);
  const long = Buffer.from(whole);
  long.writeUInt32BE(0xff_ff_ff_ff, starts[2]);
  assert.deepEqual(await seen(long), ['a']);
  await cp(await scene.place(other), place);
  assert.equal((await scene.bodies.readRecording(id))?.text, '');
  await truncate(place, 0);
  assert.deepEqual(await scene.bodies.readRecording(id), { text: '', isWhole: false, bytes: 0 });
});

test('a recording has its bound, from which on nothing is taken, and what is there can be read', async () => {
  await using scene = await openScene();
  const id = randomUUIDv7();
  const recording = await scene.bodies.record(id, 'red', size);
  const chunk = Buffer.alloc(1 << 20, 'x');
  const full = { code: 'limit_exceeded', limit: 'capturedRecordingBytesMax' };
  for (let i = 0; i < 15; i += 1) await recording.add('output', chunk);
  await assert.rejects(recording.add('output', chunk), full);
  await assert.rejects(recording.add('output', Buffer.from('x')), full);
  await recording.end();
  assert.ok(recording.bytes <= defaultLimits.capturedRecordingBytesMax);
  const read = await scene.bodies.readRecording(id);
  assert.equal(read?.isWhole, false);
  assert.equal(linesOf(read.text).length, 16);
});

test('a shell takes room of the disk however little it shows, and bodies that wait for the disk end none', async () => {
  await using scene = await openScene({ keepBytes: 30 * 2 ** 20 });
  const recording = await scene.bodies.record(randomUUIDv7(), 'red', size);
  const bytes = new Uint8Array(2 ** 20);
  const body = { request: { bytes, isWhole: true, redacted: 0 } };
  // As many as may wait, of several sessions.
  let taken = 0;
  for (const session of ['red', 'b', 'c', 'd', 'e', 'f'])
    for (let i = 0; i < 4; i += 1) taken += scene.bodies.put(randomUUIDv7(), session, body) ? 1 : 0;
  assert.ok(taken >= 12 && scene.limits.includes('capturedWaitingBytesMax'));
  await recording.add('output', Buffer.from('x'));
  await recording.end();
  await using small = await openScene({ keepBytes: 3 * 4096 + 1000 });
  for (let i = 0; i < 3; i += 1) await (await small.bodies.record(randomUUIDv7(), 'red', size)).end();
  await assert.rejects(small.bodies.record(randomUUIDv7(), 'red', size), { limit: 'capturedFilesMax' });
});

test('a full disk, a budget that is spent and a day that is over end it', async () => {
  {
    await using scene = await openScene({ keepBytes: 5000 });
    const recording = await scene.bodies.record(randomUUIDv7(), 'red', size);
    const full = { code: 'limit_exceeded', limit: 'capturedFilesMax' };
    await assert.rejects(recording.add('output', Buffer.alloc(1000)), full);
    await recording.end();
    assert.deepEqual(scene.limits, ['capturedFilesMax']);
  }
  {
    let nowMs = Date.now();
    await using scene = await openScene({ clock: () => nowMs, keepDays: 1 });
    const recording = await scene.bodies.record(randomUUIDv7(), 'red', size);
    nowMs += 3 * dayMs;
    await assert.rejects(recording.add('output', Buffer.from('x')), { code: 'limit_exceeded' });
    await recording.end();
  }
  {
    await using scene = await openScene({ directory: '/dev/null/none' });
    await assert.rejects(scene.bodies.record(randomUUIDv7(), 'red', size), { code: 'audit_unavailable' });
  }
});

for (const failing of [1, 2, 3])
  test(`where write ${failing} fails, it and all behind it say so`, async () => {
    let [writes, closed] = [0, 0];
    const file = {
      appendFile: () => {
        writes += 1;
        return writes === failing
          ? Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
          : Promise.resolve();
      },
      close: () => {
        closed += 1;
        return Promise.resolve();
      },
    };
    const key = new Secret(new Uint8Array(32));
    const options = { file, key, id: randomUUIDv7(), clock: Date.now, charge: () => undefined };
    const unwritable = { code: 'audit_unavailable' };
    if (failing === 1) await assert.rejects(Recording.begin(options, size), unwritable);
    else {
      const recording = await Recording.begin(options, size);
      for (let i = 2; i < failing; i += 1) await recording.add('output', Buffer.from('x'));
      await assert.rejects(recording.add('output', Buffer.from('x')), unwritable);
      await assert.rejects(recording.add('output', Buffer.from('x')), unwritable);
      await recording.end();
      assert.equal(writes, failing);
    }
    assert.equal(closed, 1);
  });

test('pages have whole lines, one at least, and lead to the end', () => {
  const read = { text: 'head\nab\ncd\nlonger than a page\nef\n', isWhole: true, bytes: 1 };
  const pages: string[] = [];
  let from: number | undefined = 0;
  while (from !== undefined) {
    const page: ReturnType<typeof recordingPage> = recordingPage(read, from, 8);
    pages.push(page.cast);
    from = page.next;
  }
  assert.deepEqual(pages, ['head\nab\n', 'cd\n', 'longer than a page\n', 'ef\n']);
  assert.deepEqual(recordingPage(read, 99), { cast: '', bytes: 1, whole: true });
});
