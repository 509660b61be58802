// A part of the frames, through a real agent and gateway. `npm run test:conformance websocket` sends all.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { judge } from '../suite.ts';
import { webSocketCases } from './cases.ts';
import { openWebSocketScene } from './scene.ts';
import { runWebSocketCases } from './websocket-suite.ts';

/** Of every section, and of every ending. */
const part =
  /^(?:5\.1 |5\.2 (?:text of 65536|a length in|the opcode 11)|5\.4 a message inside|5\.5\.1 a close whose|7\.4 .* (?:1000|1005)$)/;

test('frames of a WebSocket pass, or end it as their section says', async (context) => {
  await using scene = await openWebSocketScene();
  const cases = webSocketCases.filter(({ section, title }) => part.test(`${section} ${title}`));

  await context.test('of each section and from each side', async () => {
    const results = await runWebSocketCases(cases, scene);
    assert.deepEqual(judge(results, [], true).faults, []);
    assert.equal(results.length, 2 * 8);
  });

  await context.test(
    'the suite tells a frame that passes where it should end, and one that ends where it should pass',
    async () => {
      const [whole, reserved] = ['5.2 text of 0 octets', '5.2 the opcode 11'].map((id) =>
        webSocketCases.find(({ section, title }) => `${section} ${title}` === id)!,
      );
      const results = await runWebSocketCases(
        [
          { ...reserved!, expect: 'passes' },
          { ...reserved!, expect: 1007 },
        ],
        scene,
      );
      assert.deepEqual(
        results.map(({ state }) => state),
        ['failed', 'failed', 'failed', 'failed'],
      );
      assert.equal(
        (await runWebSocketCases([whole!], scene)).every(({ state }) => state === 'passed'),
        true,
      );
    },
  );
});
