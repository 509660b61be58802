// A part of the frames, through a real agent and gateway. `npm run test:conformance http2` sends all.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { judge } from '../suite.ts';
import { http2Cases } from './cases.ts';
import type { Expectation } from './case-parts.ts';
import { statusOf } from './frames.ts';
import { openHttp2Scene } from './http2-suite.ts';
import { runHttp2Case } from './run-case.ts';

/** Of every kind of expectation. */
const part =
  /^(?:3\.4|4\.1 a frame|4\.3 a block|5\.1 idle: data|5\.4\.1|6\.5 settings are|6\.5\.3|6\.9\.2|8\.1 POST|8\.2 |8\.2\.2|8\.3\.1|HPACK 5\.2)/;

test('frames of HTTP/2 get from the gateway what their section says', async (context) => {
  await using scene = await openHttp2Scene();
  const cases = http2Cases.filter(({ section, title }) => part.test(`${section} ${title}`));

  await context.test('of each section', async () => {
    const results = [];
    for (const one of cases) results.push(await runHttp2Case(one, scene.target));
    assert.deepEqual(judge(results, [], true).faults, []);
    assert.equal(results.length, 25);
  });

  await context.test('a field that is no field reaches no origin', async () => {
    const odd = http2Cases.filter(({ section }) => section === '8.2.1');
    const before = scene.origin.requests.length;
    for (const one of odd)
      assert.equal(
        (await runHttp2Case({ ...one, expect: { kind: 'accept', status: 200 } }, scene.target)).state,
        'passed',
      );
    const seen = scene.origin.requests.slice(before);
    assert.equal(seen.length, 2);
    for (const { rawHeaders } of seen) assert.doesNotMatch(rawHeaders.join('\n'), /^(?:x|x y|b)$/m);
  });

  for (const [what, expect, why] of [
    ['another status', { kind: 'accept', status: 404 }, /^status 404, but .*headers\(1\) 200/],
    ['data of another length', { kind: 'data', lengths: [1] }, /^data of 1, but/],
  ] as const satisfies readonly (readonly [string, Expectation, RegExp])[])
    await context.test(`the suite tells ${what}`, async () => {
      const get = http2Cases.find(({ section, title }) => section === '8.1' && title === 'GET')!;
      const result = await runHttp2Case({ ...get, expect }, scene.target);
      assert.match(result.state === 'failed' ? result.why : '', why);
    });
});

test('the status of a block is read in each of its forms', () => {
  for (const [octets, status] of [
    [[0x88], 200],
    [[0x20, 0x8c], 400],
    [[0x08, 3, 0x34, 0x32, 0x31], 421],
    // 4 = 011010, 2 = 00010, 1 = 00001.
    [[0x48, 0x82, 0b01101000, 0b01000001], 421],
    [[0x82], 0],
  ] as const)
    assert.equal(statusOf(Buffer.from(octets)), status);
});
