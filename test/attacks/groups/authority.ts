// Names that disagree: CONNECT, SNI, Host, :authority, and text that only looks like a name.

import assert from 'node:assert/strict';

import { frameType } from '../support/h2-frames.ts';
import { responded, get, nothingDialled, refused, type AttackTable } from '../support/attack.ts';
import { naiveProxy, naiveRequest, victimOf } from '../support/naive-proxy.ts';
import { http2Events, http2Send, openHttp2, pseudo } from '../support/http2-client.ts';

export const authority: AttackTable = {
  'AUTH-01': {
    control: async () => {
      await using proxy = await naiveProxy('connect');
      const victim = await victimOf(proxy, naiveRequest('allowed.test', get('evil.test', '/')));
      assert.equal(victim.host, 'evil.test');
    },
    run: async (a) => {
      responded(await a.send(a.at('allowed.test'), get(a.at('evil.test'), '/')), 421);
      assert.match(JSON.stringify(a.lastEvent?.claimed), /allowed\.test.*evil\.test/);
      nothingDialled(a);
    },
  },
  'AUTH-02': async (a) => {
    a.attempts += 1;
    await assert.rejects(a.tls(a.at('allowed.test'), { sni: 'evil.test' }), /unrecognized name/i);
    nothingDialled(a);
  },
  'AUTH-03': async (a) => {
    a.attempts += 1;
    await assert.rejects(a.tls(a.at('allowed.test'), { sni: 'evil.test' }), /unrecognized name/i);
    const [event] = await a.events(1);
    assert.deepEqual(event?.claimed, { connect: 'allowed.test', sni: 'evil.test' });
    nothingDialled(a);
  },
  'AUTH-04': async (a) => {
    const literal = `127.0.0.66:${a.ports.plain}`;
    refused(await a.inTunnel(literal, get('api.allowed.test', '/')), 403, 421);
    refused(await a.inTunnel(literal, get(literal, '/')), 403);
    refused(await a.toRelay(get('api.allowed.test', `http://${literal}/`), { events: 1 }), 403, 421);
    nothingDialled(a);
  },
  'AUTH-05': {
    control: async () => {
      await using proxy = await naiveProxy('host-judged');
      const victim = await victimOf(proxy, get('allowed.test', 'http://evil.test/x'));
      assert.equal(victim.dialled, 'evil.test');
    },
    run: async (a) => {
      responded(
        await a.send(a.at('allowed.test'), get(a.at('allowed.test'), `https://${a.at('evil.test')}/x`)),
        421,
      );
      responded(await a.send(a.at('allowed.test'), get(a.at('allowed.test'), 'http://evil.test/x')), 421);
      nothingDialled(a);
    },
  },
  'AUTH-06': async (a) => {
    const reply = await a.toRelay(get(a.plainAt('evil.test'), `http://${a.plainAt('allowed.test')}/`), {
      events: 1,
    });
    responded(reply, 400, 421);
    nothingDialled(a);
  },
  'AUTH-07': {
    control: async () => {
      await using proxy = await naiveProxy('host-judged');
      const victim = await victimOf(proxy, get('allowed.test', 'http://evil.test/'));
      assert.equal(victim.dialled, 'evil.test');
    },
    run: async (a) => {
      const target = `http://${a.plainAt('evil.test')}/`;
      responded(await a.toRelay(get(a.plainAt('allowed.test'), target), { events: 1 }), 403, 421);
      responded(await a.toRelay(get(a.plainAt('evil.test'), target), { events: 1 }), 403);
      nothingDialled(a);
    },
  },
  'AUTH-08': {
    control: async () => {
      await using proxy = await naiveProxy('host-judged');
      const victim = await victimOf(proxy, get('allowed.test', '/', 'Host: evil.test'));
      assert.equal(victim.status, 200);
      assert.ok(victim.rawHeaders.includes('evil.test'));
    },
    run: async (a) => {
      const [good, evil] = [a.at('allowed.test'), a.at('evil.test')];
      responded(await a.send(good, get(good, '/', `Host: ${evil}`)), 400);
      responded(await a.send(good, get(evil, '/', `Host: ${good}`)), 400, 421);
      responded(await a.send(good, get(`${good}, ${evil}`, '/')), 400);
      nothingDialled(a);
    },
  },
  'AUTH-09': {
    control: async () => {
      await using proxy = await naiveProxy('host-judged');
      const victim = await victimOf(proxy, get('allowed.test@evil.test', '/'));
      assert.equal(victim.host, 'allowed.test@evil.test');
    },
    run: async (a) => {
      for (const tail of [
        '@evil.test',
        '/evil.test',
        '#.evil.test',
        ',evil.test',
        '\\evil.test',
        '?evil.test',
      ])
        responded(await a.send(a.at('allowed.test'), get(`allowed.test${tail}`, '/')), 400);
      nothingDialled(a);
    },
  },
  'AUTH-10': async (a) => {
    const at = a.at('allowed.test');
    responded(await a.send(at, 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n'), 400);
    responded(await a.send(at, 'GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n'), 400);
    nothingDialled(a);
    responded(await a.send(at, 'GET /old HTTP/1.0\r\n\r\n'), 200);
    assert.equal(a.origins.seen.find(({ path }) => path === '/old')?.host, 'allowed.test');
  },
  'AUTH-11': async (a) => {
    const { tls, plain } = a.ports;
    responded(await a.toRelay(`CONNECT [evil.test]:${tls} HTTP/1.1\r\n\r\n`), 400);
    responded(await a.toRelay(`CONNECT [allowed.test]:${tls} HTTP/1.1\r\nHost: [allowed.test]\r\n\r\n`), 400);
    responded(await a.toRelay(get('[evil.test]', `http://[evil.test]:${plain}/`), { events: 1 }), 400);
    responded(await a.send(a.at('allowed.test'), get('[allowed.test]', '/')), 400);
    nothingDialled(a);
  },
  'AUTH-12': async (a) => {
    for (const name of ['EVIL.TEST.', 'eViL.tEsT']) {
      const reply = await a.send(a.at(name), get(a.at('evil.test'), '/'), { sni: 'evil.test' });
      responded(reply, 403);
      assert.equal(a.lastEvent?.host, 'evil.test');
    }
    nothingDialled(a);
    responded(await a.send(a.at('allowed.test'), get(a.at('ALLOWED.TEST.'), '/dot')), 200);
    const seen = a.origins.seen.find(({ path }) => path === '/dot');
    assert.ok(seen?.rawHeaders.includes(a.at('allowed.test')));
  },
  'AUTH-13': async (a) => {
    for (const name of ['allowed.test..', 'a..allowed.test', '.allowed.test'])
      responded(await a.toRelay(`CONNECT ${a.at(name)} HTTP/1.1\r\n\r\n`), 400);
    nothingDialled(a);
  },
  'AUTH-14': async (a) => {
    for (const text of [
      'allowed.test@evil.test:443',
      'allowed.test:443@evil.test:443',
      'evil.test:443#@allowed.test:443',
    ])
      responded(await a.toRelay(`CONNECT ${text} HTTP/1.1\r\n\r\n`), 400);
    nothingDialled(a);
  },
  'AUTH-15': async (a) => {
    const texts = [':443:80', ':0443', ':+443', ':65979', ':0x1bb', ':443%20', '', ':'].map(
      (tail) => `allowed.test${tail}`,
    );
    for (const text of [...texts, '/etc', ':443', '*:443'])
      responded(await a.toRelay(`CONNECT ${text} HTTP/1.1\r\n\r\n`), 400);
    nothingDialled(a);
  },
  'AUTH-16': async (a) => {
    for (const port of [22, 25, 6379, 8443]) {
      const at = `allowed.test:${port}`;
      responded(await a.send(at, get(at, '/')), 403);
    }
    nothingDialled(a);
  },
  'AUTH-17': async (a) => {
    // TLS where the rule is for cleartext, and cleartext where it is for TLS.
    responded(await a.send(a.plainAt('allowed.test'), get(a.plainAt('allowed.test'), '/')), 403);
    responded(await a.inTunnel(a.at('allowed.test'), get(a.at('allowed.test'), '/')), 403);
    responded(await a.inTunnel(a.at('api.allowed.test'), get(a.at('api.allowed.test'), '/')), 403);
    nothingDialled(a);
    responded(await a.inTunnel(a.plainAt('allowed.test'), get(a.plainAt('allowed.test'), '/plain')), 200);
    assert.deepEqual(a.lastEvent?.injected, []);
  },
  'AUTH-18': async (a) => {
    const at = a.at('allowed.test');
    const first = `GET /ok HTTP/1.1\r\nHost: ${at}\r\n\r\n`;
    const reply = await a.send(at, first + get(a.at('evil.test'), '/x'), { events: 2 });
    assert.deepEqual(reply.statuses, [200, 421]);
  },
  'AUTH-19': async (a) => {
    responded(await a.toRelay(`CONNECT %61llowed.test:${a.ports.tls} HTTP/1.1\r\n\r\n`), 400);
    for (const name of ['evil%2etest', 'allo%77ed.test'])
      responded(await a.toRelay(get(name, `http://${a.plainAt(name)}/`), { events: 1 }), 400);
    nothingDialled(a);
  },
  'AUTH-25': async (a) => {
    const reply = await a.send(
      a.at('allowed.test'),
      'CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n',
    );
    responded(reply, 400, 405, 501);
    nothingDialled(a);
    // Behind another request whose response is still under way.
    const at = a.at('allowed.test');
    const both = await a.send(
      at,
      `GET /ok HTTP/1.1\r\nHost: ${at}\r\n\r\nCONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n`,
      { events: 2 },
    );
    assert.deepEqual(both.statuses, [200, 400]);
  },
  'AUTH-26': async (a) => {
    await using client = await openHttp2(a, a.at('allowed.test'));
    await http2Send(a, client, [
      pseudo(a.at('allowed.test'), '/one'),
      pseudo(a.at('evil.test'), '/two'),
      pseudo(a.at('allowed.test'), '/three'),
    ]);
    const byPath = await http2Events(a, 3);
    assert.deepEqual(
      [byPath.get('/one')?.status, byPath.get('/two')?.status, byPath.get('/three')?.status],
      [200, 421, 200],
    );
  },
  'AUTH-27': async (a) => {
    await using client = await openHttp2(a, a.at('allowed.test'));
    const evil: [string, string] = ['host', a.at('evil.test')];
    const good = pseudo(a.at('allowed.test'), '/both');
    await http2Send(a, client, [
      [...good, evil],
      [...pseudo(a.at('evil.test'), '/b'), ['host', a.at('allowed.test')]],
    ]);
    await http2Send(a, client, [[...good.filter(([name]) => name !== ':authority'), evil]]);
    const events = await a.events(a.attempts);
    assert.ok(
      events.every(({ verdict, errorCode }) => verdict === 'deny' && errorCode === 'authority_mismatch'),
    );
    nothingDialled(a);
  },
  'AUTH-28': async (a) => {
    const good = pseudo(a.at('allowed.test'), '/odd');
    const change = (name: string, value: string): [string, string][] =>
      good.map(([key, old]) => [key, key === name ? value : old]);
    // These reach validation: responded or reset, one event each.
    const judged = [
      change(':scheme', 'http'),
      change(':path', `https://${a.at('evil.test')}/`),
      change(':authority', `u@${a.at('allowed.test')}`),
      change(':path', 'odd'),
    ];
    for (const fields of judged) {
      await using client = await openHttp2(a, a.at('allowed.test'));
      const before = a.ownEvents.length;
      const frames = await client.exchange([fields]);
      const after = (await client.settle(before)).length;
      a.attempts += after - before;
      assert.ok(
        frames.some(
          ({ type }) =>
            type === frameType.rstStream || type === frameType.headers || type === frameType.goaway,
        ),
      );
    }
    // nghttp2 itself resets these: no stream ever reaches the gateway.
    for (const fields of [
      change(':path', ''),
      [...good, [':path', '/two']] as [string, string][],
      [['x', 'y'], ...good] as [string, string][],
    ]) {
      await using client = await openHttp2(a, a.at('allowed.test'));
      const before = a.ownEvents.length;
      const frames = await client.exchange([fields]);
      a.attempts += (await client.settle(before)).length - before;
      assert.ok(
        frames.some(
          ({ type }) =>
            type === frameType.rstStream || type === frameType.headers || type === frameType.goaway,
        ),
      );
    }
    assert.ok(a.ownEvents.every(({ verdict }) => verdict === 'deny'));
    nothingDialled(a);
  },
  'AUTH-29': async (a) => {
    for (const name of ['allowed.test', 'b.allowed.test'])
      responded(await a.send(a.at(name), get(a.at(name), `/${name}`)), 200);
    const [first, second] = a.origins.seen.filter(({ host }) => host !== 'probe.test');
    assert.notEqual(first?.connection, second?.connection);
    a.origins.respond = (_request, response) => response.writeHead(421).end();
    const count = a.origins.seen.filter(({ host }) => host !== 'probe.test').length;
    responded(await a.send(a.at('api.allowed.test'), get(a.at('api.allowed.test'), '/misdirected')), 421);
    assert.equal(a.origins.seen.filter(({ host }) => host !== 'probe.test').length, count + 1);
    a.origins.respond = (_request, response) => response.end('hello\n');
  },
  'AUTH-31': async (a) => {
    for (const url of [
      'ftp://allowed.test/',
      'gopher://127.0.0.1:6379/_x',
      'file:///etc/passwd',
      'ws://allowed.test/',
      'http+unix://%2fvar%2frun%2fdocker.sock/',
    ])
      responded(await a.toRelay(get('allowed.test', url), { events: 1 }), 400, 501);
    nothingDialled(a);
  },
};
