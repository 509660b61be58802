// Each named limit under attack by one principal, beside another whose responses and latency must hold: the oracles of the
// cases. Floods and slow clients that are cases of the table themselves are named there: DOS-01, DOS-02, DOS-03, H2-01, H2-03, H2-05.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { usualPolicy, type Arena, type Ports } from './support/arena.ts';
import { responded, get, post, type Attack } from './support/attack.ts';
import { playCase } from './support/play.ts';

const neighbourMsMax = 2_000;

/** The usual rules, with limits on the one for `allowed.test`. */
const limited =
  (limits: string) =>
  (ports: Ports): string =>
    usualPolicy(ports).replace('hosts: [allowed.test, b.allowed.test],', `$& limits: ${limits},`);

const codes = (a: Arena): Set<string | undefined> => new Set(a.ownEvents.map(({ errorCode }) => errorCode));

/** As many requests as fit into a few connections; gives the statuses. */
async function manyRequests(a: Arena, count: number): Promise<number[]> {
  const at = a.at('allowed.test');
  const one = `GET /many HTTP/1.1\r\nHost: ${at}\r\n\r\n`;
  const replies = await Promise.all(
    Array.from({ length: count / 10 }, () => a.send(at, one.repeat(9) + get(at, '/many'), { events: 10 })),
  );
  return replies.flatMap(({ statuses }) => statuses);
}

function upgradeOf(at: string): string {
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13';
  return `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n\r\n`;
}

function acceptUpgrades(a: Arena): void {
  a.origins.upgrade = (request, socket) => {
    const given = String(request.headers['sec-websocket-key']);
    const accept = createHash('sha1').update(`${given}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    const fields = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}`;
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\n`);
    socket.on('end', () => socket.end()).resume();
  };
}

const attacks: Readonly<Record<string, Attack>> = {
  'bodyBytes of a rule': {
    neighbourMsMax,
    policy: limited('{ bodyBytes: 10kB }'),
    run: async (a) => {
      const at = a.at('allowed.test');
      for (const fields of [['Content-Length: 5000000'], ['Content-Length: 10001']])
        responded(await a.send(at, post(at, '/body', fields, 'x'.repeat(5_000)), { keepOpen: true }), 413);
      const chunks = `1000\r\n${'x'.repeat(4_096)}\r\n`.repeat(20);
      const reply = await a.send(at, post(at, '/body', ['Transfer-Encoding: chunked'], `${chunks}0\r\n\r\n`));
      responded(reply, 413);
      responded(await a.send(at, post(at, '/body', ['Content-Length: 10'], '0123456789')), 200);
    },
  },
  'requestsPerSecond of a rule': {
    neighbourMsMax,
    // So few that a slow machine is over it for long enough.
    policy: limited('{ requestsPerSecond: 1 }'),
    run: async (a) => {
      const statuses = await manyRequests(a, 60);
      assert.ok(statuses.includes(200) && statuses.filter((status) => status === 429).length > 40);
    },
  },
  requestsPerSecondMax: {
    neighbourMsMax,
    // The neighbour asks five times a second at most; the attacker is over the rate on a slow machine too.
    neighbourPauseMs: 200,
    limits: { requestsPerSecondMax: 10 },
    run: async (a) => {
      const statuses = new Set<number>();
      for (let round = 0; round < 4 && !statuses.has(429); round += 1)
        for (const status of await manyRequests(a, 500)) statuses.add(status);
      assert.ok(statuses.has(200) && statuses.has(429));
      assert.ok(codes(a).has('limit_exceeded'));
    },
  },
  streamsPerSecondMax: {
    neighbourMsMax,
    limits: { streamsPerSecondMax: 3 },
    run: async (a) => {
      const at = a.at('allowed.test');
      const replies = await Promise.all(
        Array.from({ length: 60 }, () => a.toRelay(`CONNECT ${at} HTTP/1.1\r\n\r\nx`)),
      );
      assert.ok(replies.every(({ ending }) => ending !== 'open'));
      for (let before = -1; before !== a.ownEvents.length; await a.events(before + 1, 300))
        before = a.ownEvents.length;
      // Refusals are summed up: a flood of streams is none of events.
      assert.ok(codes(a).has('limit_exceeded'));
      assert.ok(a.ownEvents.length < 40, `${a.ownEvents.length} events for 60 streams`);
      a.attempts = a.ownEvents.length;
    },
  },
  openExchangesPerSessionMax: {
    neighbourMsMax,
    limits: { openExchangesPerSessionMax: 10, webSocketIdleTimeoutMs: 6_000 },
    run: async (a) => {
      acceptUpgrades(a);
      const at = a.at('allowed.test');
      const replies = await Promise.all(
        Array.from({ length: 30 }, () => a.send(at, upgradeOf(at), { keepOpen: true })),
      );
      const statuses = replies.map(({ status }) => status);
      assert.equal(statuses.filter((status) => status === 101).length, 10, statuses.join());
      assert.equal(statuses.filter((status) => status === 429).length, 20);
      const refused = (await a.events(30)).filter(({ errorCode }) => errorCode === 'limit_exceeded');
      assert.ok(
        refused.every(({ limit, verdict }) => limit === 'openExchangesPerSessionMax' && verdict === 'deny'),
      );
      // What has ended makes room.
      responded(await a.send(at, get(at, '/again')), 200);
    },
  },
  webSocketIdleTimeoutMs: {
    neighbourMsMax,
    limits: { webSocketIdleTimeoutMs: 300 },
    run: async (a) => {
      acceptUpgrades(a);
      const at = a.at('allowed.test');
      const replies = await Promise.all(
        Array.from({ length: 20 }, () => a.send(at, upgradeOf(at), { keepOpen: true })),
      );
      for (const reply of replies) {
        responded(reply, 101);
        assert.notEqual(reply.ending, 'open');
      }
      assert.ok((await a.events(20)).every(({ errorCode }) => errorCode === 'timeout'));
    },
  },
  idleTimeoutMs: {
    neighbourMsMax,
    limits: { idleTimeoutMs: 1_500 },
    run: async (a) => {
      const at = a.at('allowed.test');
      // A connection that was used once and is held.
      const replies = await Promise.all(
        Array.from({ length: 20 }, () =>
          a.send(at, `GET /once HTTP/1.1\r\nHost: ${at}\r\n\r\n`, { keepOpen: true }),
        ),
      );
      for (const reply of replies) {
        responded(reply, 200);
        assert.notEqual(reply.ending, 'open');
      }
    },
  },
  lookupsPendingMax: {
    neighbourMsMax,
    limits: { lookupsPendingMax: 8, resolveTimeoutMs: 500 },
    run: async (a) => {
      // Names whose responses never come: refused at a bound, or given up after their time.
      a.names.set('slow.wild.test', 'silence');
      const at = a.at('slow.wild.test');
      const replies = await Promise.all(Array.from({ length: 40 }, () => a.send(at, get(at, '/'))));
      for (const reply of replies) responded(reply, 429, 502, 503, 504);
    },
  },
};

for (const [limit, attack] of Object.entries(attacks)) {
  test(`the neighbour is served in time while ${limit} is attacked`, async () => {
    const { verdict, detail } = await playCase(attack, 'short');
    assert.equal(verdict, 'passed', detail);
  });
}
