// Which connection carried an exchange: the audit has its address, however the exchange ends, and before it does.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';

import { waitUntil } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { http2Origin } from './support/http2-origin.ts';
import { get, sendRaw } from './support/raw-http.ts';
import { rawOrigin } from './support/raw-origin.ts';
import { RecordingSink } from './support/recording-sink.ts';
import { openRequestPath, type RequestPath } from './support/request-path.ts';

const timeout = 20_000;
const authority = createTestAuthority();

function pathTo(port: number): RequestPath {
  return openRequestPath({
    policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }\n`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
}

const upgrade = (at: string): string =>
  get(at, '/ws').replace(
    'Connection: close',
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  );

for (const [name, ask] of [
  ['an exchange', (at: string) => get(at, '/')],
  ['a WebSocket', upgrade],
] as const) {
  test(`${name} that its origin cuts off has the address of its connection`, { timeout }, async () => {
    await using origin = await rawOrigin(authority, (socket) => socket.destroy());
    await using path = pathTo(origin.port);
    const at = `allowed.test:${origin.port}`;
    (await path.tls(at)).resume().write(ask(at));
    const [event] = await path.events(1);
    assert.deepEqual([event?.errorCode, event?.address], ['origin_truncated', '127.0.0.1']);
  });

  test(`${name} without its response is kept with the address of its connection`, { timeout }, async () => {
    await using origin = await rawOrigin(authority, () => undefined);
    await using path = pathTo(origin.port);
    const at = `allowed.test:${origin.port}`;
    const socket = await path.tls(at);
    socket.resume().write(ask(at));
    await waitUntil('the request is there', () => origin.seen[0]?.includes('\r\n\r\n') === true);
    const { audit } = path.parts;
    assert.ok(audit instanceof RecordingSink);
    assert.deepEqual(
      [...audit.kept].map((one) => one.unfinished().address),
      ['127.0.0.1'],
    );
    socket.destroy();
    const [event] = await path.events(1);
    assert.deepEqual([event?.errorCode, event?.address], ['cancelled', '127.0.0.1']);
  });
}

test('over HTTP/2, too, a cut response has the address of its connection', { timeout }, async () => {
  await using origin = await http2Origin(authority, true);
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at, { alpn: ['h2'] });
  const session = connect(`https://${at}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  const stream = session.request({ ':path': '/reset' });
  stream.on('error', () => undefined).resume();
  const [event] = await path.events(1);
  assert.deepEqual(
    [event?.errorCode, event?.protocol, event?.address],
    ['origin_truncated', 'h2', '127.0.0.1'],
  );
  session.destroy();
});

test('what is refused before a connection stands has no address', { timeout }, async () => {
  await using path = pathTo(1);
  (await path.tls('allowed.test:1')).resume().write(get('allowed.test:1', '/'));
  const [event] = await path.events(1);
  assert.deepEqual([event?.errorCode, event?.address], ['origin_unreachable', undefined]);
});

test(
  'the names that a host led to are in the event, however the bytes are handled',
  { timeout },
  async () => {
    await using origin = await http2Origin(authority, true);
    await using path = pathTo(origin.port);
    const { dialer } = path.parts;
    const dial = dialer.dial.bind(dialer);
    const aliases = ['www.provider.test'];
    Object.assign(dialer, {
      dial: async (request: Parameters<typeof dial>[0]) => ({
        ...(await dial(request)),
        aliases: () => aliases,
      }),
    });
    const at = `allowed.test:${origin.port}`;
    await sendRaw(await path.tls(at), get(at, '/'));
    const h2Socket = await path.tls(at, { alpn: ['h2'] });
    const session = connect(`https://${at}`, { createConnection: () => h2Socket });
    const stream = session.request({ ':path': '/' });
    stream.resume();
    await once(stream, 'end');
    session.destroy();
    path.setPolicy(
      `rules:\n  - { name: passed, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8, tls: passthrough }\n`,
    );
    const { socket } = path.open({ authority: at, mode: 'raw' });
    const names = { servername: 'allowed.test', ALPNProtocols: ['h2'] };
    const passed = connectTls({ socket, ca: authority.caPem, ...names });
    await once(passed, 'secureConnect');
    passed.destroy();
    const events = await path.events(3);
    assert.deepEqual(
      events.map((event) => [event.protocol, event.upstreamProtocol, event.aliases]),
      [
        ['http/1.1', 'h2', aliases],
        ['h2', 'h2', aliases],
        ['passthrough', undefined, aliases],
      ],
    );
  },
);
