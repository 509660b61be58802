import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { endsSession } from '../../../src/agent/uplink/session-over.ts';
import { TunnelClient } from '../../../src/agent/uplink/tunnel-client.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import type { OpenFields } from '../../../src/protocol/frame.ts';
import type { Limits } from '../../../src/protocol/limits.ts';
import { readAll } from '../../net/tunnel-pair.ts';
import { patienceMs } from '../../support/patience.ts';
import { resourceBaseline, resourcesSettled } from '../../support/resources.ts';
import { type Enrolled, enrolled, eventually, quickLimits } from '../support/enrolled.ts';
import { closedOf } from '../support/relay-fixture.ts';

const fields: OpenFields = { authority: 'origin.test:443', mode: 'raw' };

function open({ session, logger }: Enrolled, changes: Partial<Limits> = {}): Promise<TunnelClient> {
  return TunnelClient.open({ session, logger, limits: { ...quickLimits, ...changes } });
}

/** The text that comes back through the tunnel, whose gateway echoes. */
async function echo(client: TunnelClient, text: string): Promise<string> {
  const stream = client.openStream(fields);
  stream.end(text);
  return (await readAll(stream)).toString();
}

describe('the first connection', () => {
  test('authenticates with the session and carries streams', async () => {
    await using setting = await enrolled();
    await using client = await open(setting);
    assert.equal(client.isUp, true);
    assert.ok((await client.roundTrip()) >= 0);
    assert.equal(await echo(client, 'hello'), 'hello');
  });

  test('is not tried again: its failure is thrown', async () => {
    await using setting = await enrolled();
    setting.fake.failNext('tunnel', { kind: 'refuse', code: 'store_unavailable' }, { kind: 'reset' });
    await assert.rejects(open(setting), { code: 'websocket_refused', message: /503/ });
    await assert.rejects(open(setting));
    assert.equal(setting.fake.requests.filter((request) => request === 'tunnel').length, 2);
  });

  test('is tried again where the gateway that was reached is about to end, for as long as new streams would wait', async () => {
    await using setting = await enrolled();
    const leaving = { kind: 'refuse', code: 'shutting_down' } as const;
    setting.fake.failNext('tunnel', leaving, leaving, leaving);
    await using client = await open(setting);
    assert.equal(await echo(client, 'hello'), 'hello');
    setting.fake.failNext('tunnel', ...Array.from({ length: 1000 }, () => leaving));
    await assert.rejects(open(setting, { tunnelWaitTimeoutMs: 50 }), { message: /503/ });
    const abort = new AbortController();
    const { session, logger } = setting;
    const cut = TunnelClient.open({ session, logger, limits: quickLimits }, abort.signal);
    abort.abort();
    await assert.rejects(cut, { code: 'cancelled' });
  });

  test('is not one that broke while the proof for it was made', async () => {
    await using setting = await enrolled();
    const { session } = setting;
    (await session.gateway.kept.take())?.destroy();
    const made = new PassThrough();
    // A net.Socket in all that is asked of it here.
    session.gateway.kept.warm(() => Promise.resolve(made as unknown as Socket));
    await nextTurn();
    const authorize = session.authorize.bind(session);
    session.authorize = async (...request) => {
      const closed = new Promise((resolve) => made.once('close', resolve));
      made.destroy(new Error('read ECONNRESET'));
      await closed;
      return await authorize(...request);
    };
    await using client = await open(setting);
    assert.equal(await echo(client, 'hello'), 'hello');
  });

  test('carries no plaintext of TLS before that is agreed for it', async () => {
    await using setting = await enrolled();
    const { session, logger, fake } = setting;
    await using client = await TunnelClient.open({
      session,
      logger,
      limits: quickLimits,
      asksForModes: true,
    });
    for (const mode of ['http1', 'http2'] as const) {
      const plain: OpenFields = { ...fields, mode, tlsVersion: 'TLSv1.3' };
      assert.throws(() => client.openStream(plain), { code: 'protocol_denied' });
    }
    await client.roundTrip();
    assert.equal(fake.link.streamCount, 0);
    assert.equal(await echo(client, 'hello'), 'hello');
  });

  test('has a deadline', async () => {
    await using setting = await enrolled();
    setting.fake.failNext('tunnel', { kind: 'silence' });
    await assert.rejects(open(setting, { handshakeTimeoutMs: 50 }), { code: 'timeout' });
  });
});

describe('a tunnel that is lost', () => {
  test('fails its streams, and comes back by itself', async () => {
    await using setting = await enrolled();
    await using client = await open(setting);
    const stream = client.openStream(fields);
    stream.write('x');
    await once(stream, 'data');
    setting.fake.breakConnections();
    await closedOf(stream);
    assert.equal((stream.errored as ProxyError).code, 'tunnel_lost');
    await client.whenUp();
    assert.equal(await echo(client, 'again'), 'again');
    assert.match(setting.logger.lines.join('\n'), /connecting again in \d+ ms[\s\S]*up again/);
  });

  test('is tried until the gateway is there again', async () => {
    await using setting = await enrolled();
    await using client = await open(setting);
    const { port } = setting.fake;
    await setting.fake.stop();
    await eventually(() => setting.logger.lines.length >= 3, 'three attempts');
    assert.equal(client.isUp, false);
    await setting.fake.listen(port);
    await client.whenUp();
    assert.equal(await echo(client, 'back'), 'back');
  });

  test('is tried as soon as a connection waits for it, however long the next attempt was put off', async () => {
    await using setting = await enrolled();
    const long = 10 * patienceMs;
    const outage = {
      reconnectDelayMsInitial: long,
      reconnectDelayMsMax: long,
      reconnectAwaitedDelayMsMax: 10,
      tunnelWaitTimeoutMs: patienceMs,
    };
    await using client = await open(setting, outage);
    const { port } = setting.fake;
    await setting.fake.stop();
    await eventually(() => setting.logger.lines.length > 0, 'an attempt that is put off');
    await setting.fake.listen(port);
    await client.whenUp();
    assert.equal(await echo(client, 'back'), 'back');
    // One attempt is enough; it was no tight loop.
    assert.equal(setting.logger.lines.filter((line) => line.includes('connecting again')).length, 1);
  });

  test('makes new streams wait, and fail after the stated time', async () => {
    await using setting = await enrolled();
    await using client = await open(setting, { tunnelWaitTimeoutMs: 50 });
    await setting.fake.stop();
    await eventually(() => !client.isUp, 'the link is seen as lost');
    assert.throws(() => client.openStream(fields), { code: 'tunnel_lost' });
    await assert.rejects(client.whenUp(), { code: 'tunnel_lost', message: /0\.05 s/ });
  });

  test('asks for a new access token where the old one expired meanwhile', async () => {
    await using setting = await enrolled();
    await using client = await open(setting);
    setting.fake.failNext('tunnel', { kind: 'refuse', code: 'token_expired' });
    setting.fake.breakConnections();
    await eventually(() => setting.fake.requests.includes('renew'), 'a renewal');
    await client.whenUp();
    assert.deepEqual(setting.fake.requests, ['enrol', 'tunnel', 'tunnel', 'renew', 'tunnel']);
  });

  for (const code of ['session_revoked', 'session_unknown'] as const) {
    test(`stays lost for good when the gateway says ${code}`, async () => {
      await using setting = await enrolled();
      await using client = await open(setting);
      setting.fake.failNext('tunnel', { kind: 'refuse', code });
      setting.fake.breakConnections();
      const error = await client.ended;
      assert.ok(error !== undefined && endsSession(error));
      await assert.rejects(client.whenUp(), (reason) => reason === error);
    });
  }
});

describe('a gateway that says goaway', () => {
  test('gets no new streams; the old ones finish and a new tunnel takes the next', async () => {
    await using setting = await enrolled();
    await using client = await open(setting);
    const old = client.openStream(fields);
    old.write('old ');
    await once(old, 'data');
    const { link } = setting.fake;
    const drained = link.drain(patienceMs);
    await eventually(() => setting.fake.links.length === 2, 'a second tunnel');
    await client.whenUp();
    assert.equal(await echo(client, 'new'), 'new');
    old.end('stream');
    assert.equal((await readAll(old)).toString(), 'stream');
    await drained;
    assert.equal(link.streamCount, 0);
  });

  test('because the session was revoked, ends the client', async () => {
    await using setting = await enrolled();
    await using client = await open(setting);
    const stream = client.openStream(fields);
    stream.on('error', () => {});
    const revoked = new ProxyError('session_revoked', 'by the operator');
    setting.fake.link.dismiss(revoked);
    assert.equal((await client.ended)?.code, 'session_revoked');
    await closedOf(stream);
    assert.equal(setting.fake.requests.filter((request) => request === 'tunnel').length, 1);
  });
});

describe('closing', () => {
  test('leaves no handle, up or down', async () => {
    const baseline = resourceBaseline();
    for (const down of [false, true]) {
      await using setting = await enrolled();
      const client = await open(setting);
      client.openStream(fields).on('error', () => {});
      if (down) {
        await setting.fake.stop();
        await eventually(() => setting.logger.lines.length >= 2, 'attempts');
      }
      await client.close();
      await client.close();
      assert.equal(await client.ended, undefined);
      await assert.rejects(client.whenUp(), { code: 'shutting_down' });
    }
    await resourcesSettled(baseline);
  });

  test('a gateway that does not take leave is cut off when its time is over, whatever the limits say', async () => {
    await using setting = await enrolled();
    const client = await open(setting, { closeTimeoutMs: 2 * patienceMs });
    setting.fake.hang();
    await client.close({ withinMs: 10 });
    assert.equal(await client.ended, undefined);
  });

  test('waits for the open streams while it drains', async () => {
    await using setting = await enrolled();
    const client = await open(setting);
    const stream = client.openStream(fields);
    stream.write('x');
    await once(stream, 'data');
    const closed = client.close({ drainMs: 5000 });
    assert.equal(client.isUp, false);
    stream.end('last');
    assert.equal((await readAll(stream)).toString(), 'last');
    await closed;
  });
});
