import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { keepRenewed } from '../../../src/agent/uplink/renewal.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { resourceBaseline, resourcesSettled } from '../../support/resources.ts';
import { type Enrolled, enrolled, eventually, quickLimits } from '../support/enrolled.ts';

const random = (): number => 0;

function keep(setting: Enrolled, signal: AbortSignal, onRenewed?: () => Promise<void>) {
  const { session, logger } = setting;
  return keepRenewed({
    session,
    logger,
    signal,
    random,
    limits: quickLimits,
    ...(onRenewed && { onRenewed }),
  });
}

describe('renewal', () => {
  test('comes at two thirds of the lifetime, long before the expiry', async () => {
    await using setting = await enrolled({});
    const controller = new AbortController();
    // Two thirds of a minute have passed but for some milliseconds; it would expire in twenty seconds.
    const session = {
      lifetimeMs: 60_000,
      expiresInMs: 20_005,
      renew: async () => controller.abort(),
    };
    const { logger } = setting;
    // What renewal uses of a session.
    const options = {
      session: session as unknown as Enrolled['session'],
      logger,
      random,
      limits: quickLimits,
    };
    assert.equal(await keepRenewed({ ...options, signal: controller.signal }), undefined);
    assert.equal(controller.signal.aborted, true);
  });

  test('comes again and again', async () => {
    await using setting = await enrolled({ expiresIn: 0.09 });
    const controller = new AbortController();
    let renewals = 0;
    const done = keep(setting, controller.signal, async () => {
      renewals += 1;
      if (renewals === 2) controller.abort();
    });
    assert.equal(await done, undefined);
    assert.deepEqual(setting.fake.requests.slice(0, 3), ['enrol', 'renew', 'renew']);
  });

  test('waits for two thirds of the lifetime', async () => {
    await using setting = await enrolled({ expiresIn: 0.3 });
    const controller = new AbortController();
    const startMs = performance.now();
    await keep(setting, controller.signal, async () => controller.abort());
    assert.ok(performance.now() - startMs > 150);
  });

  test('is tried again where it failed, also past the expiry', async () => {
    await using setting = await enrolled({ expiresIn: 0.03 });
    const fault = { kind: 'reset' } as const;
    setting.fake.failNext('renew', fault, fault, fault, fault);
    const controller = new AbortController();
    const done = keep(setting, controller.signal, async () => controller.abort());
    assert.equal(await done, undefined);
    assert.equal(setting.fake.requests.filter((request) => request === 'renew').length, 5);
    assert.match(setting.logger.lines.join('\n'), /could not be renewed yet/);
  });

  test('is tried again when the gateway says, and not before', async (context) => {
    await using setting = await enrolled();
    const controller = new AbortController();
    context.mock.timers.enable({ apis: ['setTimeout'] });
    let renewals = 0;
    const session = {
      lifetimeMs: 3,
      expiresInMs: 1,
      renew: async () => {
        renewals += 1;
        if (renewals === 2) controller.abort();
        else throw new ProxyError('store_unavailable', 'away', { retryAfterSeconds: 5 });
      },
    };
    const done = keepRenewed({
      // What renewal uses of a session.
      session: session as unknown as Enrolled['session'],
      logger: setting.logger,
      random,
      limits: quickLimits,
      signal: controller.signal,
    });
    for (const [ms, expected] of [
      [quickLimits.reconnectDelayMsInitial, 1],
      [4999, 1],
      [1, 2],
    ] as const) {
      context.mock.timers.tick(ms);
      await nextTurn();
      assert.equal(renewals, expected);
    }
    assert.equal(await done, undefined);
  });

  test('ends with the reason when the gateway refuses for good', async () => {
    await using setting = await enrolled({ expiresIn: 0.03 });
    setting.fake.failNext('renew', { kind: 'refuse', code: 'session_revoked' });
    assert.equal((await keep(setting, new AbortController().signal))?.code, 'session_revoked');
  });

  test('goes on where what follows it fails', async () => {
    await using setting = await enrolled({ expiresIn: 0.03 });
    const controller = new AbortController();
    let renewals = 0;
    const done = keep(setting, controller.signal, async () => {
      renewals += 1;
      if (renewals === 2) controller.abort();
      throw new Error('the trust files could not be written');
    });
    await done;
    assert.equal(renewals, 2);
    assert.match(setting.logger.lines.join('\n'), /trust files/);
  });

  test('stops at once when it is told to, waiting or in a request, and leaves no handle', async () => {
    const baseline = resourceBaseline();
    {
      await using waiting = await enrolled();
      const controller = new AbortController();
      const done = keep(waiting, controller.signal);
      controller.abort();
      assert.equal(await done, undefined);
      await using asking = await enrolled({ expiresIn: 0.03 });
      asking.fake.failNext('renew', { kind: 'silence' });
      const second = new AbortController();
      const asked = keep(asking, second.signal);
      await eventually(() => asking.fake.requests.includes('renew'), 'a request');
      second.abort();
      assert.equal(await asked, undefined);
    }
    await resourcesSettled(baseline);
  });
});
