import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import { BackgroundRenewals } from '../../../../src/gateway/credentials/sources/background-renewals.ts';
import { RenewedValue, timedValue } from '../../../../src/gateway/credentials/sources/renewed-value.ts';

const background = (): BackgroundRenewals => new BackgroundRenewals({ credentialUnusedMs: 3_600_000 });

interface Script {
  readonly values: RenewedValue<string>;
  asked: number;
  isDown: boolean;
  at(seconds: number): Promise<string>;
}

/** Gives `v1`, `v2` … of the given life, or fails while it is down. */
function scripted(lifeSeconds: number, renewals = background()): Script {
  const script: Script = {
    asked: 0,
    isDown: false,
    values: new RenewedValue((nowMs) => {
      script.asked += 1;
      return script.isDown
        ? Promise.reject(new Error('down'))
        : Promise.resolve(timedValue(`v${script.asked}`, nowMs, lifeSeconds * 1000));
    }, renewals),
    at: (seconds) => script.values.read(seconds * 1000),
  };
  return script;
}

test('a value is fetched once however many wait for it, and again a minute before its end', async () => {
  const script = scripted(600);
  assert.deepEqual(await Promise.all([script.at(0), script.at(0), script.at(0)]), ['v1', 'v1', 'v1']);
  assert.equal(await script.at(539), 'v1');
  assert.equal(await script.at(541), 'v2');
});

test('a short value is fetched again in its last fifth', async () => {
  const script = scripted(10);
  await script.at(0);
  assert.equal(await script.at(7.9), 'v1');
  assert.equal(await script.at(8.1), 'v2');
});

test('a service that is down is asked every five seconds while the value holds, and each second once it has ended', async () => {
  const script = scripted(100);
  await script.at(0);
  script.isDown = true;
  for (const seconds of [81, 82, 85, 85.9]) assert.equal(await script.at(seconds), 'v1');
  assert.equal(script.asked, 2);
  assert.equal(await script.at(86.1), 'v1');
  assert.equal(script.asked, 3);
  for (const seconds of [101, 101.5, 102.2]) await assert.rejects(script.at(seconds), /down/);
  assert.equal(script.asked, 5);
  script.isDown = false;
  assert.equal(await script.at(104), 'v6');
});

test('a rejected value is replaced by the next read, each once, and one in half a minute', async () => {
  const script = scripted(3600);
  const first = await script.at(0);
  script.values.reject(first, 1_000);
  const second = await script.at(2);
  assert.equal(second, 'v2');
  script.values.reject(first, 3_000);
  script.values.reject(second, 4_000);
  assert.equal(await script.at(5), 'v2');
  script.values.reject(second, 32_000);
  assert.equal(await script.at(33), 'v3');
});

test('a rejected value stays in use while the service is down', async () => {
  const script = scripted(3600);
  const first = await script.at(0);
  script.isDown = true;
  script.values.reject(first, 1_000);
  assert.equal(await script.at(2), 'v1');
  script.isDown = false;
  assert.equal(await script.at(8), 'v3');
});

test('a service that hangs delays one request by a second while the value holds, and its response still counts', async () => {
  const hanging = Promise.withResolvers<string>();
  let asked = 0;
  const values = new RenewedValue<string>(async (nowMs) => {
    asked += 1;
    return timedValue(asked === 1 ? 'first' : await hanging.promise, nowMs, 600_000);
  }, background());
  await values.read(0);
  const delayed = values.read(550_000);
  assert.equal(await values.read(551_000), 'first');
  assert.equal(await delayed, 'first');
  const without = values.read(601_000);
  hanging.resolve('second');
  assert.equal(await without, 'second');
  assert.equal(await values.read(602_000), 'second');
  assert.equal(asked, 2);
});

test('a value that ends while its renewal hangs is not given out', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const hanging = Promise.withResolvers<string>();
  let asked = 0;
  const values = new RenewedValue<string>(async (nowMs) => {
    asked += 1;
    return timedValue(asked === 1 ? 'first' : await hanging.promise, nowMs, 10_000);
  }, background());
  await values.read(0);
  const delayed = values.read(9_950);
  // What the old value has left.
  t.mock.timers.tick(50);
  await setImmediate();
  hanging.resolve('second');
  assert.equal(await delayed, 'second');
});

test('a value that is about to end is still given out when its renewal fails at once, and never after its end', async () => {
  const script = scripted(10);
  await script.at(0);
  script.isDown = true;
  assert.equal(await script.at(9.95), 'v1');
  await assert.rejects(script.at(15), /down/);
});

/** Lets time pass, with what comes due in it, second by second. */
async function pass(t: TestContext, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    t.mock.timers.tick(1000);
    await setImmediate();
  }
}

test('a value in use is renewed before its end without a request, until nobody has used it for an hour', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const script = scripted(600);
  assert.equal(await script.at(0), 'v1');
  await pass(t, 539);
  assert.equal(script.asked, 1);
  await pass(t, 2);
  assert.equal(script.asked, 2);
  assert.equal(await script.at(541), 'v2');
  assert.equal(script.asked, 2);
  await pass(t, 3600 + 600);
  const whenUnused = script.asked;
  assert.ok(whenUnused >= 8, `${whenUnused} renewals`);
  await pass(t, 3600);
  assert.equal(script.asked, whenUnused);
  // The next request begins it again.
  await script.at(9000);
  await pass(t, 541);
  assert.equal(script.asked, whenUnused + 2);
});

test('a renewal that fails without a request is tried again every five seconds, and not after the end', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const script = scripted(100);
  await script.at(0);
  script.isDown = true;
  await pass(t, 100);
  assert.equal(script.asked, 1 + 4);
  await pass(t, 3600);
  assert.equal(script.asked, 1 + 4);
});

test('requests and the renewal without one share what is in flight', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const hanging = Promise.withResolvers<string>();
  let asked = 0;
  const values = new RenewedValue<string>(async (nowMs) => {
    asked += 1;
    return timedValue(asked === 1 ? 'first' : await hanging.promise, nowMs, 600_000);
  }, background());
  await values.read(0);
  await pass(t, 541);
  assert.equal(asked, 2);
  assert.equal(await values.read(541_000), 'first');
  hanging.resolve('second');
  await setImmediate();
  assert.equal(await values.read(542_000), 'second');
  assert.equal(asked, 2);
});

test('what lives for a moment is not renewed in a loop', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const script = scripted(0.01);
  await script.at(0);
  await pass(t, 60);
  assert.equal(script.asked, 1);
});

test('the end of the credentials ends their renewal, and waits for one that is under way', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const renewals = background();
  const hanging = Promise.withResolvers<string>();
  let asked = 0;
  const values = new RenewedValue<string>(async (nowMs) => {
    asked += 1;
    return timedValue(asked === 1 ? 'first' : await hanging.promise, nowMs, 600_000);
  }, renewals);
  await values.read(0);
  await pass(t, 541);
  let isEnded = false;
  const ended = renewals[Symbol.asyncDispose]().then(() => {
    isEnded = true;
  });
  await setImmediate();
  assert.equal(isEnded, false);
  hanging.resolve('second');
  await ended;
  await values.read(542_000);
  await pass(t, 3600);
  assert.equal(asked, 2);
});
