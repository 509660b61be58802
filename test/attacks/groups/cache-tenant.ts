// One principal's connections, answers and identifiers against another's.

import assert from 'node:assert/strict';

import { openTestSessions } from '../../gateway/session-fixture.ts';
import { answered, get, type AttackTable } from '../support/attack.ts';

export const cacheTenant: AttackTable = {
  'TEN-01': async (a, scale) => {
    const at = a.at('allowed.test');
    const rounds = scale === 'full' ? 200 : 20;
    for (let i = 0; i < rounds; i += 1) {
      for (const principal of ['alice', 'bob'])
        answered(await a.send(at, get(at, `/${principal}`, `X-Who: ${principal}`), { principal }), 200);
    }
    const connections = (name: string): Set<number> =>
      new Set(a.origins.seen.filter(({ path }) => path === `/${name}`).map(({ connection }) => connection));
    for (const number of connections('alice'))
      assert.ok(!connections('bob').has(number), 'a connection served both');
  },
  'TEN-03': async (a) => {
    const at = a.at('api.allowed.test');
    let count = 0;
    a.origins.answer = (_request, response) => {
      count += 1;
      response.writeHead(200, { 'cache-control': 'public, max-age=3600' }).end(`answer ${count}`);
    };
    for (const principal of ['alice', 'bob', 'alice'])
      answered(await a.send(at, get(at, '/me'), { principal }), 200);
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
    neighbourMsMax: 2_500,
    run: async (a, scale) => {
      const at = a.at('allowed.test');
      const count = scale === 'full' ? 400 : 60;
      const one = `GET /many HTTP/1.1\r\nHost: ${at}\r\n\r\n`;
      const replies = await Promise.all(
        Array.from({ length: count / 20 }, () =>
          a.send(at, one.repeat(19) + get(at, '/many'), { events: 20, deadlineMs: 20_000 }),
        ),
      );
      for (const { statuses } of replies)
        assert.ok(statuses.length === 20 && statuses.every((status) => [200, 429, 503].includes(status)));
    },
  },
};
