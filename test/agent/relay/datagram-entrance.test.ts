import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';

import { DatagramEntrance, openDatagramPort } from '../../../src/agent/relay/datagram-entrance.ts';
import { parseDatagramMappings } from '../../../src/agent/relay/datagram-mapping.ts';
import type { TunnelStream } from '../../../src/net/tunnel-stream.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

test('mappings are read, and what is none is shown with what it should be', () => {
  assert.deepEqual(parseDatagramMappings(['5300=DNS.example.com:53', '1=[::1]:9']), [
    { port: 5300, authority: 'dns.example.com:53' },
    { port: 1, authority: '[::1]:9' },
  ]);
  for (const text of [
    '',
    '53',
    '0=a.test:1',
    '70000=a.test:1',
    '05=a.test:1',
    '53=a.test',
    '53=a.test:1=2',
    'x=a.test:1',
  ])
    assert.throws(() => parseDatagramMappings([text]), { code: 'usage', message: /LOCAL=HOST:PORT/ }, text);
  assert.throws(() => parseDatagramMappings(['53=a.test:1', '53=b.test:1']), /once/);
  const many = Array.from({ length: defaultLimits.datagramPortsMax + 1 }, (_, i) => `${i + 1}=a.test:1`);
  assert.throws(() => parseDatagramMappings(many), /datagramPortsMax/);
});

/** A stream as far as an entrance uses it. */
class FakeStream extends EventEmitter {
  readonly sent: string[] = [];
  streamError: ProxyError | undefined;
  isDestroyed = false;
  sendDatagram(datagram: Uint8Array): boolean {
    this.sent.push(Buffer.from(datagram).toString());
    this.emit('sent');
    return true;
  }
  resume(): void {}
  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    this.emit('close');
  }
}

async function entranceWith(open: () => FakeStream, told: string[] = []) {
  const socket = await openDatagramPort({ port: 0, authority: '' });
  const tunnel = {
    isUp: true,
    // Nothing else of a stream is used.
    openStream: () => open() as unknown as TunnelStream,
  };
  const say = (message: string): void => void told.push(message);
  const context = { tunnel, limits: defaultLimits, logger: { info: say, warn: say } };
  const { port } = socket.address();
  return { port, entrance: new DatagramEntrance(socket, { port, authority: 'a.test:1' }, context) };
}

test('each client has a flow, whose datagrams wait for the gateway to take it, and go no further than to it', async () => {
  const streams: FakeStream[] = [];
  const opened = new EventEmitter();
  const { port, entrance } = await entranceWith(() => {
    const stream = new FakeStream();
    streams.push(stream);
    queueMicrotask(() => opened.emit('stream'));
    return stream;
  });
  const [one, two] = [createSocket('udp4'), createSocket('udp4')];
  const first = once(opened, 'stream');
  one.send('early', port, '127.0.0.1');
  await first;
  const second = once(opened, 'stream');
  two.send('other', port, '127.0.0.1');
  await second;
  assert.equal(streams.length, 2);
  const [mine, others] = streams;
  assert.ok(mine && others);
  assert.deepEqual(mine.sent, []);
  mine.emit('accept');
  assert.deepEqual(mine.sent, ['early']);
  const later = once(mine, 'sent');
  one.send('late', port, '127.0.0.1');
  await later;
  assert.deepEqual(mine.sent, ['early', 'late']);
  const came = once(one, 'message');
  mine.emit('datagram', Buffer.from('back'));
  assert.equal(String((await came)[0]), 'back');
  assert.deepEqual(others.sent, []);
  entrance[Symbol.dispose]();
  entrance[Symbol.dispose]();
  assert.ok(mine.isDestroyed && others.isDestroyed);
  one.close();
  two.close();
});

test('a tunnel that carries none, and a flow that is refused, are told once as a warning', async () => {
  const told: string[] = [];
  const opened = new EventEmitter();
  const refusal = new ProxyError('protocol_denied', 'the gateway carries no datagrams');
  const { port, entrance } = await entranceWith(() => {
    queueMicrotask(() => opened.emit('asked'));
    throw refusal;
  }, told);
  const client = createSocket('udp4');
  const asked = once(opened, 'asked');
  client.send('x', port, '127.0.0.1');
  await asked;
  assert.deepEqual(told, ['datagrams to a.test:1 are dropped: the gateway carries no datagrams']);
  client.close();
  entrance[Symbol.dispose]();
});

test('a port that is taken is told', async () => {
  const socket = await openDatagramPort({ port: 0, authority: '' });
  await assert.rejects(openDatagramPort({ port: socket.address().port, authority: '' }), {
    code: 'config_invalid',
    message: /cannot be opened/,
  });
  socket.close();
});
