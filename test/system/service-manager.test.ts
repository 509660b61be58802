import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { openSystemCalls } from '../../src/system/ffi.ts';
import {
  noticeAddress,
  noticeText,
  openServiceManager,
  watchdogIntervalMs,
} from '../../src/system/service-manager.ts';
import { receiveNotices } from '../support/notice-receiver.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('a notice is assignments, one a line, and no status makes a further one', () => {
  assert.equal(noticeText({ kind: 'ready', status: 'listening' }), 'READY=1\nSTATUS=listening');
  assert.equal(
    noticeText({ kind: 'ready', status: 'x\nMAINPID=1\r\u0000y' }),
    'READY=1\nSTATUS=x MAINPID=1 y',
  );
  assert.equal(noticeText({ kind: 'reloading', monotonicUs: 17n }), 'RELOADING=1\nMONOTONIC_USEC=17');
  assert.equal(
    noticeText({ kind: 'stopping', status: 'draining', withinMs: 1.5 }),
    'STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=1500',
  );
  assert.equal(noticeText({ kind: 'alive' }), 'WATCHDOG=1');
});

test('a path ends with a 0 and an abstract name begins with one', () => {
  assert.deepEqual(Buffer.from(noticeAddress('/run/n') ?? []), Buffer.from('\u0001\0/run/n\0'));
  assert.deepEqual(Buffer.from(noticeAddress('@name') ?? []), Buffer.from('\u0001\0\0name'));
  const longest = `/${'x'.repeat(106)}`;
  assert.equal(noticeAddress(longest)?.length, 110);
});

test('what is no absolute path and no abstract name is nobody', () => {
  const names = ['', '/', '@', 'run/n', './n', '../n', 'vsock:2:1', ` /run/n`, `/${'x'.repeat(107)}`];
  for (const name of [...names, `@${'ü'.repeat(60)}`, '/run/n\0x', '@a\0b'])
    assert.equal(noticeAddress(name), undefined, JSON.stringify(name));
});

test('signs of life come twice in the time that the service manager waits, if it waits for this process', () => {
  assert.equal(watchdogIntervalMs('60000000', undefined, 7), 30_000);
  assert.equal(watchdogIntervalMs('60000000', '7', 7), 30_000);
  assert.equal(watchdogIntervalMs('60000000', '8', 7), undefined);
  assert.equal(watchdogIntervalMs('1', '7', 7), 1);
  assert.equal(watchdogIntervalMs('9999999999999999', '7', 7), 2 ** 31 - 1);
  for (const text of [undefined, '', '0', '-5', '1e9', 'x', '99999999999999999999', '18446744073709551615'])
    assert.equal(watchdogIntervalMs(text, undefined, 7), undefined, `${text}`);
});

test('notices arrive in order, by a path and by an abstract name', async () => {
  await using folder = await temporaryDirectory();
  for (const name of [join(folder.path, 'notify'), `@upstreamproxy-test-${process.pid}`]) {
    using receiver = receiveNotices(name);
    const warn = (message: string): void => assert.fail(message);
    const address = noticeAddress(name) ?? new Uint8Array();
    using manager = openServiceManager({ address, calls: openSystemCalls(), warn });
    await Promise.all([
      manager.tell({ kind: 'ready', status: 'one' }),
      manager.tell({ kind: 'alive' }),
      manager.tell({ kind: 'stopping', status: 'two', withinMs: 1 }),
    ]);
    receiver.look();
    assert.deepEqual(
      receiver.notices.map((one) => one.split('=')[0]),
      ['READY', 'WATCHDOG', 'STOPPING'],
    );
  }
});

test('a service manager that takes nothing costs a notice and one warning', async () => {
  await using folder = await temporaryDirectory();
  const path = join(folder.path, 'full');
  using _receiver = receiveNotices(path);
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  using calls = openSystemCalls();
  const address = noticeAddress(path) ?? new Uint8Array();
  using manager = openServiceManager({ address, calls, warn });
  // The kernel queues `net.unix.max_dgram_qlen` of them, and each that finds no room waits for its time.
  for (let i = 0; i < 2000 && warnings.length === 0; i++) await manager.tell({ kind: 'alive' });
  assert.match(warnings[0] ?? '', /EAGAIN$/);
  await manager.tell({ kind: 'alive' });
  assert.equal(warnings.length, 1);
});

test('nobody at the address, and somebody who speaks otherwise, are a warning', async () => {
  await using folder = await temporaryDirectory();
  const stream = join(folder.path, 'stream');
  const server = createServer().listen(stream);
  await once(server, 'listening');
  for (const [path, fault] of [
    [join(folder.path, 'absent'), /ENOENT$/],
    [stream, /EPROTOTYPE$/],
  ] as const) {
    const warnings: string[] = [];
    const warn = (message: string): void => void warnings.push(message);
    const address = noticeAddress(path) ?? new Uint8Array();
    using manager = openServiceManager({ address, calls: openSystemCalls(), warn });
    await manager.tell({ kind: 'alive' });
    await manager.tell({ kind: 'alive' });
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? '', fault);
  }
  server.close();
});
