// The record: what cannot be smuggled into it, and what cannot be kept out of it.

import assert from 'node:assert/strict';

import { answered, get, nothingDialled, refused, type AttackTable } from '../support/attack.ts';

export const audit: AttackTable = {
  'AUD-01': async (a) => {
    const at = a.at('evil.test');
    for (const path of ['/%0a%0d', '/\x1b[2J', '/","verdict":"allow', '/%e2%80%a8'])
      refused(await a.send(at, get(at, path, 'User-Agent: \x1b[2J')), 400, 403);
    refused(await a.send(at, get(at, '/","verdict":"allow"')), 400, 403);
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
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
    inBody.destroy();
    await a.events(a.attempts);
    (await a.connect(at)).end();
    a.attempts += 1;
    (await a.connect(at)).end(Buffer.of(0x16, 3, 1, 0, 200, 1));
    a.attempts += 1;
    const events = await a.events(a.attempts);
    assert.equal(events.length, 4);
  },
  'AUD-06': {
    withoutAudit: true,
    run: async (a) => {
      Object.assign(a.parts.audit, { healthy: false });
      const at = a.at('allowed.test');
      answered(await a.send(at, get(at, '/')), 503);
      answered(
        await a.toRelay(get(a.plainAt('allowed.test'), `http://${a.plainAt('allowed.test')}/`), {
          events: 1,
        }),
        503,
      );
      nothingDialled(a);
      Object.assign(a.parts.audit, { healthy: true });
      answered(await a.send(at, get(at, '/again')), 200);
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
    answered(await a.send(at, get(at, '/who', ...forged)), 200);
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
