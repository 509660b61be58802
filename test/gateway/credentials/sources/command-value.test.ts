// A program that says when its secret ends, and one that only looks as if it did.

import assert from 'node:assert/strict';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandValueOf } from '../../../../src/gateway/credentials/sources/command-value.ts';
import { openCredentialSource } from '../../../../src/gateway/credentials/sources/credential-source.ts';
import { temporaryDirectory } from '../../../support/temporary-directory.ts';

const nowMs = Date.parse('2026-11-28T12:00:00Z');

test('an object with a secret and its end is both; anything else is the secret as it stands', () => {
  const said = (text: string): readonly unknown[] => {
    const { text: secret, renewAtMs, endsAtMs } = commandValueOf(text, nowMs);
    return [secret, (renewAtMs - nowMs) / 1000, (endsAtMs - nowMs) / 1000];
  };
  assert.deepEqual(said(' {"secret":"s","expiresAt":"2026-11-28T13:00:00Z"}\n'), ['s', 3540, 3600]);
  assert.deepEqual(said('{"secret":"s","expiresAt":"2026-11-28T14:01:40+02:00"}'), ['s', 80, 100]);
  for (const text of [
    'plain',
    '{"secret":"s"}',
    '{"secret":"s","expiresAt":"soon"}',
    '{"secret":"s","expiresAt":"2026-11-28T13:00:00Z","more":1}',
    '{"secret":1,"expiresAt":"2026-11-28T13:00:00Z"}',
    '[{"secret":"s","expiresAt":"2026-11-28T13:00:00Z"}]',
    '{"type":"service_account","private_key":"x"}',
    '{',
  ])
    assert.deepEqual(said(text), [text, 60, 60]);
  assert.throws(() => commandValueOf('{"secret":"hidden","expiresAt":"2026-11-28T12:00:00Z"}', nowMs), {
    message: 'it has ended already',
  });
});

test('the program is run again before that end, serves on where it fails, and once for a 401', async () => {
  await using directory = await temporaryDirectory();
  const [log, output] = [join(directory.path, 'log'), join(directory.path, 'output')];
  await appendFile(log, '');
  const script = 'printf x >> "$1"; cat "$2"';
  const source = openCredentialSource('it', { command: ['/bin/sh', '-c', script, 'sh', log, output] }, {});
  const runs = async (): Promise<number> => (await readFile(log, 'utf8')).length;
  const timed = (secret: string, afterMs: number): string =>
    JSON.stringify({ secret, expiresAt: new Date(nowMs + afterMs).toISOString() });
  const read = async (atMs: number): Promise<string> => (await source.read(nowMs + atMs)).reveal();
  await writeFile(output, timed('one', 3_600_000));
  assert.equal(await read(0), 'one');
  await writeFile(output, '');
  assert.equal(await read(3_539_000), 'one');
  assert.equal(await runs(), 1);
  assert.equal(await read(3_541_000), 'one', 'it fails, and the secret has not ended');
  assert.equal(await read(3_541_001), 'one');
  assert.equal(await runs(), 2);
  await assert.rejects(read(3_600_001), /cannot be used/);
  await writeFile(output, timed('two', 9_000_000));
  assert.equal(await read(3_700_000), 'two');
  const before = await runs();
  const secret = await source.read(nowMs + 3_700_000);
  await writeFile(output, timed('three', 9_000_000));
  source.reject?.(secret, nowMs + 3_700_001);
  assert.equal(await read(3_700_002), 'three');
  const next = await source.read(nowMs + 3_700_002);
  source.reject?.(next, nowMs + 3_700_003);
  assert.equal(await read(3_700_004), 'three');
  assert.equal(await runs(), before + 1);
});
