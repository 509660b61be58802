import assert from 'node:assert/strict';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';

import { SideBounds, SshWire } from '../../../src/gateway/ssh/ssh-wire.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';

const limits = { ...defaultLimits, sshWaitingOctetsMax: 1000, sshUnreadOctetsMax: 500 };

function open(
  channel: { readableLength: number; stderr?: { readableLength: number } } = { readableLength: 0 },
  more: Partial<Limits> = {},
) {
  const [near, far] = duplexPair();
  const bounds = new SideBounds({ ...limits, ...more }, () => channel);
  const wire = new SshWire(near, bounds);
  return { wire, near, far, bounds, channel };
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await turn();
}

test('who waits for what was written hears of it once the other side takes it', async () => {
  const { wire, far } = open();
  const total = wire.given + 200_000;
  let isWritten = false;
  wire.whenWritten(total, () => {
    isWritten = true;
  });
  for (let i = 0; i < 20; i++) wire.write(Buffer.alloc(10_000));
  await turn();
  assert.equal(isWritten, false);
  far.resume();
  await until(() => isWritten);
  assert.equal(wire.given, total);
});

test('while nobody takes what is written, nothing more is read', async () => {
  const { wire, far } = open();
  let got = 0;
  wire.on('data', (chunk: Buffer) => (got += chunk.length));
  far.write('before');
  await until(() => got > 0);
  for (let i = 0; i < 20; i++) wire.write(Buffer.alloc(10_000));
  far.write('one piece is on its way');
  await turn();
  const before = got;
  for (let i = 0; i < 20; i++) {
    far.write('more');
    await turn();
  }
  assert.equal(got, before);
  far.resume();
  await until(() => got >= before + 80);
});

test('a side ends that brings more than its window, or wants no new keys for too long', async () => {
  const first = open({ readableLength: 0 });
  first.wire.resume();
  first.channel.readableLength = 501;
  first.far.write('x');
  const [error] = (await once(first.wire, 'error')) as [{ limit?: string }];
  assert.equal(error.limit, 'sshUnreadOctetsMax');
  const beside = open({ readableLength: 250, stderr: { readableLength: 251 } });
  beside.wire.resume();
  beside.far.write('x');
  const [other] = (await once(beside.wire, 'error')) as [{ limit?: string }];
  assert.equal(other.limit, 'sshUnreadOctetsMax');
  const second = open(undefined, { sshKeyOctetsMax: 5000 });
  second.wire.resume();
  second.far.write(Buffer.alloc(4000));
  while (second.wire.octets < 4000) await turn();
  second.bounds.hasNewKeys(second.wire);
  second.far.write(Buffer.alloc(4000));
  while (second.wire.octets < 8000) await turn();
  assert.ok(!second.wire.destroyed);
  second.far.write(Buffer.alloc(4000));
  const [late] = (await once(second.wire, 'error')) as [{ limit?: string }];
  assert.equal(late.limit, 'sshKeyOctetsMax');
});

test('an end on one side is no end on the other, and a break is one of both', async () => {
  const { wire, far } = open();
  wire.resume();
  far.end();
  await once(wire, 'end');
  assert.ok(wire.writable && !wire.destroyed);
  const broken = open();
  broken.wire.resume();
  broken.wire.on('error', () => undefined);
  let heard: Error | null | undefined;
  broken.wire.whenWritten(1, (error) => {
    heard = error;
  });
  broken.near.destroy();
  await until(() => broken.wire.closed);
  assert.ok(heard instanceof Error);
});
