import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, test } from 'node:test';
import { openSystemCalls } from '../../../src/system/ffi.ts';
import { openRawListener } from '../../../src/agent/jail/raw-listener.ts';
import { systemCallNumbers } from '../../../src/system/system-call-numbers.ts';

const skip = process.versions['bun'] !== undefined && 'the helper of the jail runs under Node';
const anyPort = { host: '127.0.0.1', port: 0 };

describe('a listener by system call', { skip }, () => {
  const kernel = () => {
    const calls = openSystemCalls();
    return { calls, numbers: systemCallNumbers(), [Symbol.dispose]: () => calls[Symbol.dispose]() };
  };

  test('takes connections on its address', async () => {
    using opened = kernel();
    const server = createServer((socket) => socket.on('error', () => undefined).end('taken'));
    server.listen({ fd: openRawListener(opened, 'tcp', anyPort) });
    await once(server, 'listening');
    const { address, port } = server.address() as AddressInfo;
    assert.equal(address, '127.0.0.1');
    const [data] = await once(connect(port, '127.0.0.1').setEncoding('utf8'), 'data');
    assert.equal(data, 'taken');
    server.close();
    await once(server, 'close');
  });

  test('takes datagrams on its address', async () => {
    using opened = kernel();
    const socket = createSocket('udp4');
    const listening = once(socket, 'listening');
    socket.bind({ fd: openRawListener(opened, 'udp', anyPort) });
    await listening;
    const { address, port } = socket.address();
    assert.equal(address, '127.0.0.1');
    const arrived = once(socket, 'message');
    const sender = createSocket('udp4');
    sender.send('taken', port, '127.0.0.1');
    const [message] = (await arrived) as [Buffer];
    assert.equal(message.toString(), 'taken');
    for (const each of [sender, socket]) {
      each.close();
      await once(each, 'close');
    }
  });

  test('an address that is taken is told by name, and no descriptor is left', async () => {
    using opened = kernel();
    const server = createServer();
    server.listen({ fd: openRawListener(opened, 'tcp', anyPort) });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const before = readdirSync('/proc/self/fd').length;
    assert.throws(() => openRawListener(opened, 'tcp', { host: '127.0.0.1', port }), {
      message: `cannot listen on 127.0.0.1:${port} (tcp): EADDRINUSE`,
    });
    assert.equal(readdirSync('/proc/self/fd').length, before);
    server.close();
    await once(server, 'close');
  });
});
