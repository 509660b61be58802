// One principal's connections, responses and identifiers against another's.

import assert from 'node:assert/strict';

import { once } from 'node:events';

import { encodeFrame } from '../../../src/protocol/frame-codec.ts';
import { tunnelPair } from '../../net/tunnel-pair.ts';
import { nextTurn, usualPolicy, type Arena } from '../support/arena.ts';
import type { SeenByOrigin } from '../support/attack-origins.ts';
import { keptAlive } from '../support/kept-alive.ts';
import { openTestSessions } from '../../gateway/session-fixture.ts';
import { responded, get, type AttackTable } from '../support/attack.ts';
import { patienceMs } from '../../support/patience.ts';

export const cacheTenant: AttackTable = {
  'TEN-01': {
    // Each of the two has a rule with a credential of its own, by a claim of its session.
    policy: (ports) => `${usualPolicy(ports).replace(/.*name: (?:api|tool),.*\n/g, '')}
  - { name: of-alice, hosts: api.allowed.test, ports: ${ports.tls}, inject: api, for: { sub: alice }, addresses: 127.0.0.10/32 }
  - { name: of-bob, hosts: api.allowed.test, ports: ${ports.tls}, inject: bob, for: { sub: bob }, addresses: 127.0.0.10/32 }
`,
    run: async (a, scale) => {
      const at = a.at('api.allowed.test');
      const rounds = scale === 'full' ? 5_000 : 100;
      await using alice = await keptAlive(a, at, 'alice');
      await using bob = await keptAlive(a, at, 'bob');
      for (let i = 0; i < rounds; i += 10)
        await Promise.all(
          Array.from({ length: 20 }, (_, k) => (k % 2 === 0 ? alice.body('/alice') : bob.body('/bob'))),
        );
      a.attempts += 2 * rounds;
      const of = (name: string): SeenByOrigin[] => a.origins.seen.filter(({ path }) => path === `/${name}`);
      const connections = (name: string): Set<number> =>
        new Set(of(name).map(({ connection }) => connection));
      assert.deepEqual([of('alice').length, of('bob').length], [rounds, rounds]);
      for (const number of connections('alice'))
        assert.ok(!connections('bob').has(number), 'a connection served both');
      // Kept connections, few of them: sharing would have been possible.
      assert.ok(connections('alice').size < rounds / 5);
      for (const { path, rawHeaders } of [...of('alice'), ...of('bob')])
        assert.ok(rawHeaders.includes(`Bearer ${a.secret}${path === '/bob' ? '-of-bob' : ''}`));
      for (const event of await a.events(a.attempts))
        assert.deepEqual(event.injected, [event.path === '/alice' ? 'api' : 'bob']);
    },
  },
  'TEN-03': async (a) => {
    const at = a.at('api.allowed.test');
    let count = 0;
    a.origins.respond = (_request, response) => {
      count += 1;
      response.writeHead(200, { 'cache-control': 'public, max-age=3600' }).end(`response ${count}`);
    };
    for (const principal of ['alice', 'bob', 'alice'])
      responded(await a.send(at, get(at, '/me'), { principal }), 200);
    assert.equal(count, 3);
  },
  'TEN-04': async (a) => {
    const [one, two] = [await a.pairOf('alice'), await a.pairOf('bob')];
    // Identifiers belong to the tunnel that they are on: the same number is another stream there.
    const first = one.agent.openStream({ authority: a.at('allowed.test'), mode: 'raw' });
    const second = two.agent.openStream({ authority: a.at('allowed.test'), mode: 'raw' });
    assert.equal(first.streamId, second.streamId);
    a.attempts += 2;
    for (const stream of [first, second]) stream.on('error', () => undefined).end();
    await a.events(2);
    assert.deepEqual(a.ownEvents.map(({ principal }) => principal).toSorted(), [
      'issuer|alice',
      'issuer|bob',
    ]);
    // Frames with numbers that nobody gave out: of another's stream, of one that is over, negative, the last of all.
    const data = Buffer.from('GET / HTTP/1.1\r\n\r\n');
    const used = first.streamId;
    for (const [number, streamId] of [used, 7, 0x8000_0000, 0xffff_ffff, 0].entries()) {
      await using mallory = await tunnelPair({ onStream: (stream) => stream.accept() });
      a.sentry.permit(mallory.agentSocket.remotePort ?? 0);
      const raw = Buffer.from(encodeFrame({ type: 'data', streamId: 1, data }));
      // The stream's number is the second half of the header.
      raw.writeUInt32BE(streamId, 4);
      mallory.agentSocket.write(Buffer.concat([Buffer.of(0x82, 0x80 | raw.length, 0, 0, 0, 0), raw]));
      await until(() => !mallory.gateway.isOpen, `frame ${number} to stream ${streamId} was taken`);
    }
    // Neither alice's tunnel nor bob's noticed.
    for (const principal of ['alice', 'bob'])
      responded(await a.send(a.at('allowed.test'), get(a.at('allowed.test'), '/after'), { principal }), 200);
  },
  'TEN-05': async () => {
    await using sessions = await openTestSessions();
    const token = sessions.token();
    const first = await sessions.enrol(token);
    const second = await sessions.enrol(token);
    // The earlier, uncommitted session is gone at once.
    await assert.rejects(sessions.service.authenticate(first.request('GET', '/v1/code/upstreamproxy/ws')));
    assert.notEqual(first.sessionId, second.sessionId);
  },
  'TEN-06': {
    // The bounds of a second are cases of their own; here all of it is served.
    limits: { streamsPerSecondMax: 100_000, requestsPerSecondMax: 100_000 },
    neighbourMsMax: 2_500,
    run: async (a, scale) => {
      const at = a.at('allowed.test');
      const [requests, connects, megabytes] = scale === 'full' ? [5_000, 2_000, 1_024] : [60, 60, 4];
      const one = `GET /many HTTP/1.1\r\nHost: ${at}\r\n\r\n`;
      const upload = uploadOf(a, at, megabytes);
      const idle = await Promise.all(Array.from({ length: connects }, () => a.connect(at)));
      for (let sent = 0; sent < requests; sent += 60) {
        const replies = await Promise.all(
          Array.from({ length: 3 }, () => a.send(at, one.repeat(19) + get(at, '/many'), { events: 20 })),
        );
        for (const { statuses } of replies)
          assert.ok(statuses.length === 20 && statuses.every((status) => [200, 429, 503].includes(status)));
      }
      for (const socket of idle) socket.destroy();
      assert.equal(await upload, megabytes * 1024 * 1024);
      // Connections that never said a word are attempts too.
      a.attempts += 1 + connects;
      await a.events(a.attempts, 10_000);
    },
  },
};

/** One upload of so many megabytes over a connection of its own; gives what the origin counted. */
async function uploadOf(a: Arena, at: string, megabytes: number): Promise<number> {
  const socket = await a.tls(at);
  socket.resume();
  const chunk = Buffer.alloc(1024 * 1024, 0x61);
  socket.write(
    `PUT /large HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\nContent-Length: ${megabytes * chunk.length}\r\n\r\n`,
  );
  for (let sent = 0; sent < megabytes; sent += 1)
    if (!socket.write(chunk)) await once(socket, 'drain', { signal: AbortSignal.timeout(patienceMs) });
  if (!socket.readableEnded) await once(socket, 'end', { signal: AbortSignal.timeout(patienceMs) });
  socket.destroy();
  return a.origins.seen.find(({ path }) => path === '/large')?.bodyBytes ?? 0;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!condition()) {
    assert.ok(performance.now() < deadline, what);
    await nextTurn();
  }
}
