import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { openSystemCalls } from '../../src/system/ffi.ts';
import { lookAtSockets, namedDescriptors, socketPlace } from '../../src/system/passed-sockets.ts';
import { socketDescriptor } from '../../src/system/socket-descriptor.ts';
import { systemCallNumbers } from '../../src/system/system-call-numbers.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const given = (LISTEN_FDS: string, LISTEN_FDNAMES?: string, LISTEN_PID = '7') =>
  namedDescriptors({ LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES }, 7);

test('sockets are numbered behind standard error, and have names or none', () => {
  assert.deepEqual(given('2', 'gateway:metrics'), [
    { descriptor: 3, name: 'gateway' },
    { descriptor: 4, name: 'metrics' },
  ]);
  assert.deepEqual(given('1'), [{ descriptor: 3, name: '' }]);
  assert.deepEqual(given('0'), []);
});

test('what is meant for another process is none of this one', () => {
  assert.deepEqual(given('1', 'gateway', '8'), []);
  assert.deepEqual(given('1', 'gateway', '07'), []);
  assert.deepEqual(namedDescriptors({ LISTEN_FDS: '1' }, 7), []);
  assert.deepEqual(namedDescriptors({ LISTEN_PID: '7' }, 7), []);
});

test('a count that is none, and names that are not as many, are refused', () => {
  for (const count of ['', '-1', '1.5', '0x3', ' 1', '17', '99999999999', '1\n'])
    assert.throws(() => given(count), { code: 'config_invalid', message: /LISTEN_FDS/ }, count);
  assert.throws(() => given('2', 'gateway'), { code: 'config_invalid', message: /1 names for 2 sockets/ });
  assert.throws(() => given('1', 'a:b'), { code: 'config_invalid' });
});

test('the kernel says where a socket listens, and no program inherits it', async () => {
  using calls = openSystemCalls();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const descriptor = socketDescriptor(server) ?? -1;
  const { fcntl } = systemCallNumbers();
  const [getFlags, setFlags] = [1, 2];
  calls.call(fcntl, descriptor, setFlags, 0);
  const [found] = lookAtSockets(calls, [{ descriptor, name: 'gateway' }]);
  assert.equal(calls.call(fcntl, descriptor, getFlags), 1);
  // A TCP server's address is an object.
  assert.equal(found?.port, (server.address() as AddressInfo).port);
  assert.deepEqual([...(found?.address ?? [])], [127, 0, 0, 1]);
  server.close();
});

test('what is no TCP socket that listens is refused', async () => {
  await using folder = await temporaryDirectory();
  using calls = openSystemCalls();
  const look = (descriptor: number): unknown => lookAtSockets(calls, [{ descriptor, name: 'x' }]);
  assert.throws(() => look(9_999), { code: 'config_invalid', message: /no descriptor 9999/ });
  const file = openSync('/dev/null', 'r');
  assert.throws(() => look(file), { code: 'config_invalid', message: /is no socket that listens/ });
  closeSync(file);
  const unix = createServer().listen(join(folder.path, 'unix'));
  await once(unix, 'listening');
  assert.throws(() => look(socketDescriptor(unix) ?? -1), { message: /is no TCP socket/ });
  unix.close();
  const { socket, close } = systemCallNumbers();
  const quiet = calls.call(socket, 2, 1, 0);
  assert.throws(() => look(quiet), { message: /is no socket that listens/ });
  calls.call(close, quiet);
});

test('a name of a socket that is cut off, or of another family, is none', () => {
  const ipv6 = Uint8Array.from([10, 0, 0x20, 0xfb, 0, 0, 0, 0, ...Array<number>(15).fill(0), 1, 0, 0, 0, 0]);
  assert.deepEqual(socketPlace(ipv6), { port: 8443, address: ipv6.slice(8, 24) });
  for (const length of [0, 1, 2, 7, 23]) assert.equal(socketPlace(ipv6.slice(0, length)), undefined);
  const ipv4 = Uint8Array.from([2, 0, 0x20, 0xfb, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(socketPlace(ipv4.slice(0, 8)), { port: 8443, address: ipv4.slice(4, 8) });
  assert.equal(socketPlace(ipv4.slice(0, 7)), undefined);
  assert.equal(socketPlace(Uint8Array.from([1, 0, 47, 0])), undefined);
});
