// What is sent to nf_tables, and what is made of its replies. That the kernel does as it is told: test/e2e/raw-ports.test.ts.

import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';

import { readReplies, redirectBatch, repliesOfBatch } from '../../../src/agent/jail/nf-tables.ts';
import { leadPorts } from '../../../src/agent/jail/port-redirect.ts';
import { splitMessages } from '../../../src/agent/jail/netlink.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { isRefusal } from '../../../src/system/kernel-fault.ts';
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
    assert.equal(leadPorts({ calls: used.calls, numbers }, [80, 443], 'wanted'), true);
    assert.equal(used.sent.length, 1);
    assert.equal(used.closed(), 1);
  }
});

const { EAGAIN, EBUSY, EINVAL, EMFILE, ENOBUFS, ENOENT, ENOMEM, EOPNOTSUPP, EPERM, EPROTONOSUPPORT } =
  constants.errno;

test('a kernel without nf_tables, or without a part of it, is passed over where it is only wanted', () => {
  for (const options of [
    { socket: -EPROTONOSUPPORT },
    { reads: [reply(-EOPNOTSUPP)] },
    { reads: [reply(0), reply(-ENOENT)] },
    { reads: [Buffer.concat([reply(0), reply(0), reply(-ENOENT)])] },
  ]) {
    const used = kernel(options);
    assert.equal(leadPorts({ calls: used.calls, numbers }, [443], 'wanted'), false);
    assert.equal(used.closed(), options.socket === undefined ? 1 : 0);
    // A refusal of the kernel, so that the layer says why it does not hold.
    assert.throws(
      () => leadPorts({ calls: kernel(options).calls, numbers }, [443], 'required'),
      (error: unknown) => isRefusal(error) && /the kernel has no nf_tables/.test(String(error)),
    );
  }
});

test('everything else starts nothing, wanted or required: it may be a state that others brought about', () => {
  const cases: readonly (readonly [Parameters<typeof kernel>[0], RegExp])[] = [
    ...[EPERM, EMFILE, ENOMEM, ENOENT].map((errno) => [{ socket: -errno }, /nf_tables: E/] as const),
    ...[EPERM, EINVAL, EBUSY, ENOMEM].map((errno) => [{ reads: [reply(-errno)] }, /nf_tables: E/] as const),
    [{ reads: [reply(0), reply(0)] }, /EAGAIN/],
    [{ reads: [-ENOBUFS] }, /ENOBUFS/],
    [{ reads: [-EAGAIN] }, /EAGAIN/],
    [{ reads: [Buffer.alloc(0)] }, /a reply that is none/],
    [{ reads: [reply(0).subarray(0, 18)] }, /a message is cut/],
    [{ reads: [Buffer.concat([reply(0), reply(0), reply(0).subarray(0, 15)])] }, /a message is cut/],
  ];
  for (const how of ['wanted', 'required'] as const) {
    for (const [options, reason] of cases) {
      const used = kernel(options);
      assert.throws(
        () => leadPorts({ calls: used.calls, numbers }, [443], how),
        (error: unknown) => {
          // No refusal of the kernel, or a layer would be left out for it.
          assert.ok(error instanceof ProxyError && !isRefusal(error));
          assert.match(error.message, /^not all ports can be captured: .*--capture-ports policy$/);
          assert.match(error.message, reason);
          return true;
        },
      );
      assert.equal(used.closed(), options.socket === undefined ? 1 : 0);
    }
    assert.throws(() => leadPorts({ calls: kernel({}).calls, numbers }, [], how), /no port is captured/);
  }
});

test('what is no reply is none', () => {
  const [whole] = splitMessages(reply(-1));
  assert.ok(whole !== undefined);
  assert.deepEqual(readReplies([{ ...whole, type: 3 }, { type: 2, body: Buffer.alloc(3) }, whole]), [-1]);
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
