import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ProxyError } from '../../../../src/protocol/error.ts';
import { MintedValue } from '../../../../src/gateway/credentials/minted/minted-value.ts';
import { BackgroundRenewals } from '../../../../src/gateway/credentials/sources/background-renewals.ts';

interface Script {
  readonly values: MintedValue<string>;
  readonly told: string[];
  asked: number;
  isDown: boolean;
  at(seconds: number): Promise<string>;
}

/** Gives `v1`, `v2` … of the given life, or fails while it is down. */
function scripted(lifeSeconds: number, random: () => number): Script {
  const background = new BackgroundRenewals({ credentialUnusedMs: 3_600_000 });
  const told: string[] = [];
  const onFault = ({ message }: ProxyError): void => void told.push(message);
  const script: Script = {
    told,
    asked: 0,
    isDown: false,
    values: new MintedValue(
      () => {
        script.asked += 1;
        return script.isDown
          ? Promise.reject(new Error('down'))
          : Promise.resolve({ value: `v${script.asked}`, lifetimeMs: lifeSeconds * 1000 });
      },
      { background, random, onFault },
    ),
    at: (seconds) => script.values.read(seconds * 1000),
  };
  return script;
}

test('it is minted once however many wait for it, and anew at 60 to 80 % of its life, by chance', async () => {
  for (const [chance, seconds] of [
    [0, 600],
    [0.5, 700],
    [0.999, 799],
  ] as const) {
    const script = scripted(1000, () => chance);
    assert.deepEqual(await Promise.all([script.at(0), script.at(0), script.at(0)]), ['v1', 'v1', 'v1']);
    assert.equal(await script.at(seconds - 1), 'v1');
    assert.equal(script.asked, 1);
    await script.at(seconds + 1);
    assert.equal(script.asked, 2);
  }
});

test('a service that fails again and again is left alone for twice as long each time, half a minute at most', async () => {
  const script = scripted(1000, () => 1);
  script.isDown = true;
  let second = 0;
  for (const pause of [1, 2, 4, 8, 16, 30, 30]) {
    const before = script.asked;
    await assert.rejects(Promise.all([script.at(second), script.at(second)]), /down/);
    assert.equal(script.asked, before + 1, `at ${second} s`);
    await assert.rejects(script.at(second + pause - 0.01), /down/);
    assert.equal(script.asked, before + 1, `before ${second + pause} s`);
    second += pause;
  }
  script.isDown = false;
  assert.equal(await script.at(second), 'v8');
});

test('one success, and the next failure is the first again', async () => {
  const script = scripted(10, () => 1);
  script.isDown = true;
  await assert.rejects(script.at(0), /down/);
  await assert.rejects(script.at(1), /down/);
  script.isDown = false;
  assert.equal(await script.at(3), 'v3');
  script.isDown = true;
  await assert.rejects(script.at(20), /down/);
  await assert.rejects(script.at(20.9), /down/);
  assert.equal(script.asked, 4);
  await assert.rejects(script.at(21), /down/);
  assert.equal(script.asked, 5);
});

test('a service that fails while the last one holds is told once, until it works again', async () => {
  const script = scripted(1000, () => 0.5);
  await script.at(0);
  script.isDown = true;
  assert.equal(await script.at(750), 'v1');
  assert.equal(await script.at(800), 'v1');
  assert.deepEqual([script.asked, script.told.length], [3, 1]);
  assert.match(script.told[0] ?? '', /down/);
  script.isDown = false;
  assert.equal(await script.at(900), 'v4');
  script.isDown = true;
  await script.at(1650);
  assert.equal(script.told.length, 2);
});

test('one that an origin refused is minted anew by the next read, once', async () => {
  const script = scripted(1000, () => 0.5);
  const first = await script.at(0);
  script.values.reject(first, 1_000);
  script.values.reject(first, 1_000);
  assert.equal(await script.at(2), 'v2');
  assert.equal(await script.at(3), 'v2');
  assert.equal(script.asked, 2);
});
