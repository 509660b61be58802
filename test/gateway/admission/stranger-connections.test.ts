import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StrangerConnections } from '../../../src/gateway/admission/stranger-connections.ts';

test('strangers are bounded by source and in all; who showed a session or is gone makes room', () => {
  const strangers = new StrangerConnections({ strangersMax: 4, strangersPerSourceMax: 2 });
  assert.equal(strangers.admit('1', '192.0.2.1'), undefined);
  assert.equal(strangers.admit('2', '192.0.2.1'), undefined);
  assert.equal(strangers.admit('3', '192.0.2.1'), 'strangersPerSourceMax');
  assert.equal(strangers.admit('3', '::ffff:192.0.2.1'), 'strangersPerSourceMax');
  // One /64 is one subscriber.
  assert.equal(strangers.admit('4', '2001:db8::1'), undefined);
  assert.equal(strangers.admit('5', '2001:db8::ffff:2'), undefined);
  assert.equal(strangers.admit('6', '192.0.2.9'), 'strangersMax');
  strangers.release('1');
  assert.equal(strangers.admit('6', '2001:db8::3'), 'strangersPerSourceMax');
  assert.equal(strangers.admit('6', '192.0.2.1'), undefined);
});

test('whatever comes and goes, the counts are those of what is there', () => {
  const step = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 9 }), fc.integer({ min: 1, max: 3 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const strangers = new StrangerConnections({ strangersMax: 5, strangersPerSourceMax: 3 });
      const model = new Map<string, number>();
      for (const [comes, id, source] of steps) {
        const key = String(id);
        if (!comes) {
          strangers.release(key);
          model.delete(key);
        } else if (!model.has(key)) {
          const ofSource = [...model.values()].filter((one) => one === source).length;
          const expected =
            model.size >= 5 ? 'strangersMax' : ofSource >= 3 ? 'strangersPerSourceMax' : undefined;
          assert.equal(strangers.admit(key, `192.0.2.${source}`), expected);
          if (expected === undefined) model.set(key, source);
        }
        assert.equal(strangers.count, model.size);
      }
    }),
    { seed: 20261126, numRuns: 500 },
  );
});
