// Messages whose length, lines or fields two parsers could read differently.

import assert from 'node:assert/strict';

import { responded, get, nothingDialled, post, refused, type AttackTable } from '../support/attack.ts';
import type { Arena } from '../support/arena.ts';
import { frameType, type SeenFrame } from '../support/h2-frames.ts';
import { http2Send, openHttp2, pseudo, type Fields, type RawHttp2 } from '../support/http2-client.ts';
import { naiveProxy, victimOf } from '../support/naive-proxy.ts';

/** Each is one refused attempt on a connection of its own. */
async function allRefused(
  a: Arena,
  requests: readonly string[],
  ...statuses: readonly number[]
): Promise<void> {
  for (const request of requests) {
    const reply = await a.send(a.at('allowed.test'), request);
    assert.notEqual(reply.bytes.length, 0, `no response to ${JSON.stringify(request)}`);
    responded(reply, ...(statuses.length === 0 ? [400] : statuses));
    assert.equal(reply.responses.length, 1, `more than one response to ${JSON.stringify(request)}`);
  }
  nothingDialled(a);
}

/**
 * A body that breaks off in the middle: the head may have been forwarded, but what the origin gets is never a
 * complete message of other bytes, and no second request comes out of it.
 */
async function brokenBodies(a: Arena, bodies: readonly string[]): Promise<void> {
  const at = a.at('allowed.test');
  for (const body of bodies) {
    const head = `POST /chunks HTTP/1.1\r\nHost: ${at}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const before = a.origins.seen.length;
    const reply = await a.send(at, Buffer.from(head + body, 'latin1'));
    assert.ok(!reply.statuses.includes(200), `${JSON.stringify(body)}: ${reply.text.slice(0, 200)}`);
    const seen = a.origins.seen.slice(before).filter(({ host }) => host !== 'probe.test');
    assert.ok(seen.length <= 1 && seen.every(({ path }) => path === '/chunks'));
  }
}

/** By a frame; or by the end of the connection, which on a busy machine overtakes the frame that Node sends before it. */
function hasResponded(client: RawHttp2, frames: readonly SeenFrame[]): boolean {
  const ends: ReadonlySet<number> = new Set([frameType.rstStream, frameType.goaway, frameType.headers]);
  return client.closed || frames.some(({ type }) => ends.has(type));
}

export const h1Framing: AttackTable = {
  'SMUG-01': async (a) => {
    const at = a.at('allowed.test');
    const both = [
      ['Content-Length: 6', 'Transfer-Encoding: chunked'],
      ['Transfer-Encoding: chunked', 'Content-Length: 6'],
      ['Content-Length: 4', 'Transfer-Encoding: chunked'],
    ];
    await allRefused(
      a,
      both.map((fields) => post(at, '/', fields, '0\r\n\r\nG')),
    );
  },
  'SMUG-02': async (a) => {
    const at = a.at('allowed.test');
    const values = ['5, 5', '+5', '', '0x5', '5_0', '18446744073709551621', '-5', '05', '5 5', '5;'];
    await allRefused(a, [
      ...values.map((value) => post(at, '/', [`Content-Length: ${value}`], 'hello')),
      post(at, '/', ['Content-Length: 5', 'Content-Length: 0'], 'hello'),
      post(at, '/', ['Content-Length: 5', 'Content-Length: 5'], 'hello'),
      post(at, '/', ['Content-Length: 5', 'content-length: 6'], 'hello'),
      post(at, '/', ['Content_Length: 5'], 'hello'),
    ]);
  },
  'SMUG-03': {
    control: async () => {
      await using proxy = await naiveProxy('host-judged');
      const victim = await victimOf(
        proxy,
        post('allowed.test', '/', ['Transfer-Encoding: ,chunked'], '0\r\n\r\n'),
      );
      assert.equal(victim.status, 200);
    },
    run: async (a) => {
      const at = a.at('allowed.test');
      const values = [
        ',chunked',
        'chunked,',
        'chunked, gzip',
        'gzip, chunked',
        'xchunked',
        '\x0bchunked',
        'chunked, chunked',
        'identity',
        '"chunked"',
        'chunked;q=1',
      ];
      await allRefused(a, [
        ...values.map((value) => post(at, '/', [`Transfer-Encoding: ${value}`], '0\r\n\r\n')),
        post(at, '/', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
        post(at, '/', ['Transfer_Encoding: chunked'], '0\r\n\r\n'),
        post(at, '/', ['Transfer-Encoding: chunked'], '0\r\n\r\n').replace('HTTP/1.1', 'HTTP/1.0'),
      ]);
    },
  },
  'SMUG-06': (a) =>
    brokenBodies(
      a,
      ['0x1', '+1', '1_0', ' 1', '1 x', '', '10000000000000001', '-1', '1these-bytes'].map(
        (size) => `${size}\r\nX\r\n0\r\n\r\n`,
      ),
    ),
  'SMUG-07': (a) =>
    brokenBodies(a, ['1;a\nb\r\nX\r\n0\r\n\r\n', '1\r;\r\nX\r\n0\r\n\r\n', '1;\x01\r\nX\r\n0\r\n\r\n']),
  'SMUG-08': (a) => brokenBodies(a, ['5\r\nAAAAAXX0\r\n\r\n', '1\r\nA\n0\r\n\r\n', '1\r\nA\r\n0\n\n']),
  'SMUG-09': (a) => {
    const at = a.at('allowed.test');
    return allRefused(a, [
      `GET / HTTP/1.1\r\nHost: ${at}\r\n evil.test\r\nConnection: close\r\n\r\n`,
      `GET / HTTP/1.1\r\n Host: evil.test\r\nHost: ${at}\r\n\r\n`,
      get(at, '/', 'X-A: b', '\tc'),
    ]);
  },
  'SMUG-10': (a) => {
    const at = a.at('allowed.test');
    return allRefused(a, [
      `GET / HTTP/1.1\r\nHost: ${at}\r\nX-Harmless: ok\nAuthorization: ATTACKER\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: ${at}\r\nX: y\rHost: evil.test\r\n\r\n`,
      `GET / HTTP/1.1\nHost: ${at}\n\n`,
    ]);
  },
  'SMUG-11': (a) => {
    const at = a.at('allowed.test');
    return allRefused(
      a,
      ['X: a\x00b', 'X\x00: a', 'X: \x01', ': x', 'X : a', 'X(: a', 'X: \x7f', 'X'].map((field) =>
        get(at, '/', field),
      ),
    );
  },
  'SMUG-12': async (a) => {
    const at = a.at('allowed.test');
    const trailers = 'Host: evil.test\r\nAuthorization: x\r\nContent-Length: 5\r\n';
    const reply = await a.send(
      at,
      post(at, '/t', ['Transfer-Encoding: chunked', 'Trailer: Host'], `3\r\nabc\r\n0\r\n${trailers}\r\n`),
    );
    refused(reply, 200, 400);
    for (const seen of a.origins.seen) {
      assert.ok(!JSON.stringify(seen.rawHeaders).includes('evil.test'));
      assert.deepEqual(seen.rawTrailers, []);
    }
  },
  'SMUG-14': async (a) => {
    const at = a.at('paths.test');
    const reply = await a.send(
      at,
      `GET /public/a HTTP/1.1\r\nHost: ${at}\r\n\r\nDELETE /admin HTTP/1.1\r\nHost: ${at}\r\n\r\n`,
      { events: 2 },
    );
    assert.deepEqual(reply.statuses, [200, 403]);
  },
  'SMUG-17': async (a) => {
    const at = a.at('allowed.test');
    const line = (text: string): string => `${text}\r\nHost: ${at}\r\nConnection: close\r\n\r\n`;
    await allRefused(
      a,
      [
        'GET /\r\n\r\n',
        ...['GET / HTTP/2.0', 'GET / HTTP/1.2', 'GET / http/1.1', 'GET / HTTP/0.9', 'get / HTTP/1.1'].map(
          line,
        ),
      ],
      400,
      505,
    );
    const reply = await a.send(at, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    refused(reply, 400, 505);
    nothingDialled(a);
    // The parser takes a second space; what goes on is a request line of our own.
    refused(await a.send(at, line('GET  /spaced HTTP/1.1')), 200, 400);
    assert.ok(a.origins.seen.every(({ path }) => path === '/spaced' || path.startsWith('/probe')));
  },
  'SMUG-18': async (a) => {
    responded(await a.toRelay('CONNECT allowed.test:443%0d%0aX-Tenant:%20b HTTP/1.1\r\n\r\n'), 400);
    const at = a.at('allowed.test');
    await using client = await openHttp2(a, at);
    const frames = await client.exchange([pseudo(at, '/a\r\nX-Tenant: b')]);
    assert.ok(
      frames.some(
        ({ type }) => type === frameType.rstStream || type === frameType.goaway || type === frameType.headers,
      ),
    );
    a.attempts += (await client.settle(a.ownEvents.length)).length;
    nothingDialled(a);
    refused(await a.send(at, get(at, '/', 'Connection: Upgrade', 'Upgrade: websocket\r\n X: y')), 400);
    nothingDialled(a);
  },
  'SMUG-19': async (a, scale) => {
    const at = a.rawAt('raw.test');
    const count = scale === 'full' ? 1_000 : 200;
    a.origins.respondRaw = (socket) => {
      const early = `HTTP/1.1 103 Early Hints\r\nLink: ${'x'.repeat(8_000)}\r\n\r\n`;
      socket.write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 199 Odd\r\n\r\n${early.repeat(count)}`);
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
    };
    const reply = await a.send(at, get(at, '/hints'));
    assert.ok(reply.status === 502 || reply.status === 200, reply.text.slice(0, 300));
    assert.ok(reply.bytes.length < count * 8_100);
  },
  'SMUG-20': async (a) => {
    const at = a.at('allowed.test');
    const base = pseudo(at, '/downgrade', 'POST');
    const smuggled = 'GET /admin HTTP/1.1\r\nHost: allowed.test\r\n\r\n';
    const variants: Fields[] = [
      [...base, ['content-length', '0']],
      [...base, ['transfer-encoding', 'chunked']],
      [...base, ['connection', 'x']],
      [...base, ['content-length', '99']],
    ];
    for (const fields of variants) {
      await using client = await openHttp2(a, at);
      const before = a.ownEvents.length;
      const frames = await client.exchange([fields], smuggled);
      assert.ok(hasResponded(client, frames));
      a.attempts += (await client.settle(before)).length - before;
    }
    assert.ok(a.ownEvents.every(({ verdict }) => verdict !== 'allow'));
    for (const seen of a.origins.seen) assert.notEqual(seen.path, '/admin');
    // Without a false length the same bytes are a body, framed by the gateway.
    await using client = await openHttp2(a, at);
    await http2Send(a, client, [base], smuggled);
    assert.equal(
      a.origins.seen.find(({ path, bodyBytes }) => path === '/downgrade' && bodyBytes > 0)?.bodyBytes,
      smuggled.length,
    );
  },
  'SMUG-21': async (a) => {
    const at = a.at('allowed.test');
    const base = pseudo(at, '/names');
    const variants: Fields[] = [
      [...base, ['foo', 'bar\r\nHost: evil.test']],
      [...base, ['host: evil', 'x']],
      [...base, ['Upper', 'x']],
      [...base, ['with space', 'x']],
      pseudo(at, '/names', 'GET /admin HTTP/1.1\r\nX:'),
      pseudo(at, '/with space'),
      pseudo(at, '/nul\0'),
    ];
    for (const fields of variants) {
      await using client = await openHttp2(a, at);
      const before = a.ownEvents.length;
      const frames = await client.exchange([fields]);
      assert.ok(hasResponded(client, frames));
      a.attempts += (await client.settle(before)).length - before;
    }
    // nghttp2 drops a regular field that is not HTTP, and resets a stream whose pseudo-field is not: nothing odd goes on.
    const seen = a.origins.seen.filter(({ host }) => host !== 'probe.test');
    for (const { path, method, rawHeaders } of seen) {
      assert.deepEqual([method, path], ['GET', '/names']);
      assert.doesNotMatch(JSON.stringify(rawHeaders), /evil|foo|upper|space/i);
    }
    assert.ok(seen.length <= 4);
  },
};
