import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RepeatedLook } from '../../src/system/repeated-look.ts';

const silent = (): void => {};

test('looks go on at their interval, a failing one too, until it is closed', async () => {
  const faults: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  let looks = 0;
  const look = async (): Promise<void> => {
    looks += 1;
    if (looks === 4) resolve();
    throw new Error(`fault ${looks}`);
  };
  const repeated = new RepeatedLook({ look, intervalMs: 1, onFault: ({ message }) => faults.push(message) });
  repeated.start();
  // The timer keeps no process alive, the test must.
  const alive = setInterval(silent, 1_000);
  await promise;
  clearInterval(alive);
  await repeated.close();
  const before = looks;
  await repeated.now();
  assert.equal(looks, before);
  assert.equal(faults.length, before);
});

test('one look begins when the one before has ended, and closing waits for it', async () => {
  const log: string[] = [];
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let next = 0;
  const look = async (): Promise<void> => {
    const number = next++;
    log.push(`begin ${number}`);
    await gates[number]?.promise;
    log.push(`end ${number}`);
  };
  const repeated = new RepeatedLook({ look, intervalMs: 60_000, onFault: silent });
  const both = [repeated.now(), repeated.now()];
  gates[1]?.resolve();
  gates[0]?.resolve();
  await Promise.all(both);
  assert.deepEqual(log, ['begin 0', 'end 0', 'begin 1', 'end 1']);
  gates.push(Promise.withResolvers<void>());
  const last = repeated.now();
  await Promise.resolve();
  const closing = repeated.close().then(() => log.push('closed'));
  gates[2]?.resolve();
  await Promise.all([last, closing]);
  assert.equal(log.at(-1), 'closed');
  assert.equal(log.at(-2), 'end 2');
});

test('whoever wants a look taken shares one that has not begun, and learns whether it was without a fault', async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let looks = 0;
  const look = async (): Promise<void> => {
    looks += 1;
    await gates[looks - 1]?.promise;
    if (looks === 2) throw new Error('fault');
  };
  const repeated = new RepeatedLook({ look, intervalMs: 60_000, onFault: silent });
  const first = repeated.taken();
  await Promise.resolve();
  // The first has begun: what happened since is not in it.
  const second = [repeated.taken(), repeated.taken()];
  repeated.soon();
  for (const gate of gates) gate.resolve();
  assert.equal(await first, true);
  assert.deepEqual(await Promise.all(second), [false, false]);
  assert.equal(looks, 2);
  await repeated.close();
  assert.equal(await repeated.taken(), false);
});

test('the first look may come at another time than the next, and closing tells a look that goes on', async () => {
  const first = Promise.withResolvers<AbortSignal>();
  const repeated = new RepeatedLook({
    look: (signal) => {
      first.resolve(signal);
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    },
    intervalMs: 3_600_000,
    firstMs: 1,
    onFault: silent,
  });
  repeated.start();
  // The timer keeps no process alive, the test must.
  const alive = setInterval(silent, 1_000);
  const signal = await first.promise;
  clearInterval(alive);
  assert.equal(signal.aborted, false);
  await repeated.close();
  assert.equal(signal.aborted, true);
});

test('those who ask for a look soon share the one that has not begun, however many they are', async () => {
  const gate = Promise.withResolvers<void>();
  let looks = 0;
  const look = async (): Promise<void> => {
    looks += 1;
    if (looks === 1) await gate.promise;
  };
  const repeated = new RepeatedLook({ look, intervalMs: 60_000, onFault: silent });
  const first = repeated.now();
  for (let i = 0; i < 1000; i += 1) repeated.soon();
  gate.resolve();
  await first;
  await repeated.now();
  // The one that went on, the one of all who asked, and that of the last line.
  assert.equal(looks, 3);
  repeated.soon();
  await repeated.close();
  assert.equal(looks, 3);
});
