// The record: what cannot be smuggled into it, and what cannot be kept out of it.

import assert from 'node:assert/strict';

import { once } from 'node:events';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { openAuditLog } from '../../../src/gateway/audit/audit-log.ts';
import type { OpenExchange } from '../../../src/gateway/audit/open-exchanges.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { AuditStore } from '../../../src/store/store.ts';
import { nextTurn, type Arena } from '../support/arena.ts';
import { patienceMs } from '../../support/patience.ts';
import { waitUntil } from '../../support/program.ts';
import { responded, get, nothingDialled, refused, type AttackTable } from '../support/attack.ts';

/** The log itself with a store that takes nothing any more: it holds what fits, and then nobody is served. */
async function fullDisk(a: Arena): Promise<void> {
  let isFull = true;
  const stored: string[] = [];
  const store: Omit<AuditStore, 'chain'> = {
    append: async (entries) => {
      if (isFull) throw new ProxyError('store_unavailable', 'the disk is full');
      stored.push(...entries.map(({ id }) => id));
    },
    query: async () => [],
    find: async () => undefined,
    search: async () => ({ events: [] }),
    period: async () => ({ events: [] }),
    leftOpen: async () => [],
    stillOpen: async () => [],
    prune: async () => 0,
    held: async () => ({ events: 0, bytes: 0 }),
  };
  const limits = { ...defaultLimits, auditQueueEventsMax: 20 };
  const log = await openAuditLog({ store, limits, onFault: () => undefined });
  const sink = a.parts.audit;
  const own = sink.append.bind(sink);
  Object.defineProperty(sink, 'healthy', { get: () => log.healthy });
  Object.assign(sink, {
    append: (event: AuditEvent, ended?: OpenExchange) => {
      own(event, ended);
      // The neighbour asks all the time and would fill the log by itself.
      if (event.principal !== 'issuer|neighbour') log.append(event);
    },
  });
  const at = a.at('allowed.test');
  const statuses: number[] = [];
  let asked = 0;
  for (; asked < 200 && statuses.at(-1) !== 503; asked += 1)
    statuses.push((await a.send(at, get(at, `/full${asked}`))).status);
  assert.ok(statuses.includes(200) && statuses.at(-1) === 503, statuses.join());
  const served = statuses.filter((status) => status === 200).length;
  assert.ok(served < 20, `${served} requests were served without a record`);
  isFull = false;
  const deadline = performance.now() + patienceMs;
  while (!log.healthy && performance.now() < deadline) await nextTurn();
  assert.ok(log.healthy, 'there is room again, and nobody is served');
  responded(await a.send(at, get(at, '/room')), 200);
  Object.defineProperty(sink, 'healthy', { value: true });
  await log.close();
  // Nothing that was served is missing.
  const allowed = a.ownEvents.filter(
    ({ verdict, path }) => verdict === 'allow' && /^\/(?:full|room)/.test(path ?? ''),
  );
  for (const { id } of allowed) assert.ok(stored.includes(id), 'an event was lost');
}

export const audit: AttackTable = {
  'AUD-01': async (a) => {
    const at = a.at('evil.test');
    for (const path of ['/%0a%0d', '/\x1b[2J', '/","verdict":"allow', '/%e2%80%a8'])
      refused(await a.send(at, get(at, path, 'User-Agent: \x1b[2J')), 400, 403);
    refused(await a.send(at, get(at, '/","verdict":"allow"')), 400, 403);
    refused(await a.send(at, get('evil.test","verdict":"allow', '/')), 400, 403, 421);
    refused(await a.send(at, get('evil.test\x1b[2J', '/')), 400, 403, 421);
    refused(await a.toRelay(`CONNECT evil.test\x1b[2J:443 HTTP/1.1\r\n\r\n`), 400);
    for (const sni of ['evil.test\x1b[2J', 'evil.test","verdict":"allow'])
      if ((await a.tls(at, { sni }).catch(() => undefined)) !== undefined) assert.fail(sni);
    a.attempts += 2;
    await a.events(a.attempts);
    for (const event of await a.events(a.attempts)) {
      assert.equal(event.verdict, 'deny');
      const line = JSON.stringify(event);
      // eslint-like rule of the format: one event is one line, without control characters.
      assert.ok(
        [...line].every((character) => character >= ' '),
        line,
      );
      assert.equal(line.split('\n').length, 1);
    }
    nothingDialled(a);
  },
  'AUD-02': async (a) => {
    const at = a.at('evil.test');
    refused(await a.send(at, get(at, '/\xff\xfe')), 400, 403);
    refused(await a.send(at, get(at, `/${'z'.repeat(60_000)}`)), 403, 414, 431);
    for (const { path } of await a.events(a.attempts)) assert.ok((path?.length ?? 0) <= 66_000);
    nothingDialled(a);
  },
  'AUD-03': async (a) => {
    const at = a.at('allowed.test');
    // Broken off in the head, in the body, in the handshake; and a stream that never says a word.
    const inHead = await a.tls(at);
    inHead.write('GET / HT');
    inHead.end();
    a.attempts += 1;
    await a.events(a.attempts);
    const inBody = await a.tls(at);
    inBody.write(`POST /cut HTTP/1.1\r\nHost: ${at}\r\nContent-Length: 10\r\n\r\nabc`);
    a.attempts += 1;
    await waitUntil('the origin has the head', () => a.origins.seen.some(({ path }) => path === '/cut'));
    inBody.destroy();
    await a.events(a.attempts);
    (await a.connect(at)).end();
    a.attempts += 1;
    (await a.connect(at)).end(Buffer.of(0x16, 3, 1, 0, 200, 1));
    a.attempts += 1;
    const events = await a.events(a.attempts);
    assert.equal(events.length, 4);
    // A reset once the request is out, a refused CONNECT, a handshake that fails, a switch and then silence.
    const reset = await a.connect(at);
    reset.write(Buffer.of(0x16, 3, 1));
    // Once the gateway has it: what is taken back before that is nobody's attempt.
    for (let turn = 0; turn < 50; turn += 1) await nextTurn();
    reset.resetAndDestroy();
    a.attempts += 1;
    await a.events(a.attempts);
    responded(await a.inTunnel(a.at('evil.test'), get(a.at('evil.test'), '/')), 403);
    await assert.rejects(a.tls(at, { sni: 'evil.test' }));
    a.attempts += 1;
    a.origins.upgrade = (_request, socket) => {
      // The response to the key of RFC 6455 §1.3.
      const accept = 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${accept}\r\n\r\n`,
      );
    };
    const silent = await a.tls(at);
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13';
    silent.write(
      `GET /ws HTTP/1.1\r\nHost: ${at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n\r\n`,
    );
    a.attempts += 1;
    await once(silent, 'data');
    silent.destroy();
    assert.equal((await a.events(a.attempts)).length, 8);
  },
  'AUD-06': {
    withoutAudit: true,
    run: async (a) => {
      Object.assign(a.parts.audit, { healthy: false });
      const at = a.at('allowed.test');
      responded(await a.send(at, get(at, '/')), 503);
      responded(
        await a.toRelay(get(a.plainAt('allowed.test'), `http://${a.plainAt('allowed.test')}/`), {
          events: 1,
        }),
        503,
      );
      nothingDialled(a);
      Object.assign(a.parts.audit, { healthy: true });
      responded(await a.send(at, get(at, '/again')), 200);
      await fullDisk(a);
    },
  },
  'AUD-07': async (a) => {
    const at = a.at('allowed.test');
    const forged = [
      'X-Tenant: bob',
      'X-Request-Id: forged',
      'traceparent: 00-11111111111111111111111111111111-2222222222222222-01',
      'X-Forwarded-For: 1.2.3.4',
    ];
    responded(await a.send(at, get(at, '/who', ...forged)), 200);
    const event = (await a.events(1))[0];
    assert.equal(event?.principal, 'issuer|alice');
    assert.notEqual(event.traceId, '1'.repeat(32));
    assert.doesNotMatch(JSON.stringify(event), /forged|1\.2\.3\.4|bob/);
    assert.doesNotMatch(
      JSON.stringify(a.origins.seen.find(({ path }) => path === '/who')?.rawHeaders),
      /1\.2\.3\.4/,
    );
  },
};
