// What is sent to nf_tables, and what is made of its replies. That the kernel does as it is told: test/e2e/raw-ports.test.ts.

import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';

import { readReplies, redirectBatch, repliesOfBatch } from '../../../src/agent/jail/nf-tables.ts';
import { redirectPorts } from '../../../src/agent/jail/port-redirect.ts';
import type { SystemCalls } from '../../../src/system/ffi.ts';
import { systemCallNumbers } from '../../../src/system/system-call-numbers.ts';

const numbers = systemCallNumbers('x64');
const descriptor = 7;

/** struct nlmsgerr behind struct nlmsghdr. */
function reply(error: number): Buffer {
  const bytes = Buffer.alloc(36);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(2, 4);
  bytes.writeInt32LE(error, 16);
  return bytes;
}

/** A kernel that replies with these reads; `closed` counts what was closed. */
function kernel({ socket = descriptor, reads = [] as readonly (Buffer | number)[] }): {
  readonly calls: SystemCalls;
  readonly sent: Buffer[];
  closed(): number;
} {
  const waiting = [...reads];
  const sent: Buffer[] = [];
  let closed = 0;
  const call: SystemCalls['call'] = (number, _fd, bytes) => {
    if (number === numbers.socket) return socket;
    if (number === numbers.sendto) return sent.push(Buffer.from(bytes as Uint8Array));
    if (number === numbers.close) {
      closed += 1;
      return 0;
    }
    assert.equal(number, numbers.recvfrom);
    const next = waiting.shift() ?? -constants.errno.EAGAIN;
    if (typeof next === 'number') return next;
    (bytes as Uint8Array).set(next);
    return next.length;
  };
  const calls: SystemCalls = { call, address: () => 0n, spawn: () => 0, [Symbol.dispose]: () => {} };
  return { calls, sent, closed: () => closed };
}

test('the replies may come one by one or together', () => {
  for (const reads of [[reply(0), reply(0), reply(0)], [Buffer.concat([reply(0), reply(0), reply(0)])]]) {
    const used = kernel({ reads });
    redirectPorts({ calls: used.calls, numbers }, [80, 443]);
    assert.equal(used.sent.length, 1);
    assert.equal(used.closed(), 1);
  }
});

test('a kernel that lacks it, refuses it, or says something else leaves nothing open and is no success', () => {
  const { ENOENT, EPERM, EPROTONOSUPPORT } = constants.errno;
  const cases: readonly (readonly [Parameters<typeof kernel>[0], RegExp])[] = [
    [{ socket: -EPROTONOSUPPORT }, /EPROTONOSUPPORT/],
    [{ reads: [reply(0), reply(-ENOENT)] }, /ENOENT/],
    [{ reads: [reply(-EPERM)] }, /EPERM/],
    [{ reads: [reply(0), reply(0)] }, /EAGAIN/],
    [{ reads: [Buffer.alloc(0)] }, /a reply that is none/],
    [{ reads: [reply(0).subarray(0, 18)] }, /a reply that is none/],
  ];
  for (const [options, message] of cases) {
    const used = kernel(options);
    assert.throws(() => redirectPorts({ calls: used.calls, numbers }, [443]), { message });
    assert.equal(used.closed(), options.socket === undefined ? 1 : 0);
  }
  assert.throws(() => redirectPorts({ calls: kernel({}).calls, numbers }, []), /no port is captured/);
});

test('replies that are cut, or say a length that is none, end the reading', () => {
  assert.deepEqual(readReplies(Buffer.concat([reply(-1), reply(0).subarray(0, 19)])), [-1]);
  for (const length of [0, 3, 19, 37, 0xffff_ffff]) {
    const bytes = reply(-1);
    bytes.writeUInt32LE(length, 0);
    assert.deepEqual(readReplies(bytes), []);
  }
});

test('a batch is whole messages, and its own ends get no reply', () => {
  const network = { address: '198.18.0.1', bits: 15 };
  const batch = redirectBatch({ network, except: [80, 443], target: 443 });
  const flags: number[] = [];
  let at = 0;
  for (; at < batch.length; at += batch.readUInt32LE(at)) flags.push(batch.readUInt16LE(at + 6));
  assert.equal(at, batch.length);
  assert.deepEqual([flags[0], flags.at(-1)], [1, 1]);
  assert.equal(flags.filter((flag) => (flag & 4) !== 0).length, repliesOfBatch);
  // The network without what is of the address, and the ports in the order of the network.
  assert.ok(batch.includes(Buffer.from('c6120000', 'hex')));
  assert.ok(!batch.includes(Buffer.from('c6120001', 'hex')));
  assert.ok(batch.includes(Buffer.from('01bb', 'hex')));
});
