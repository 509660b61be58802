import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { proveTunnel } from '../../src/agent/session-steps.ts';
import { patienceMs } from '../support/patience.ts';
import { resourceBaseline, resourcesSettled } from '../support/resources.ts';
import { quickLimits } from './support/enrolled.ts';

const never = new Promise<never>(() => {});

describe('the proof of a tunnel', () => {
  const limits = { ...quickLimits, enrolTimeoutMs: 2 * patienceMs };

  test('says where TLS of clients ends, once that is agreed', async () => {
    for (const [agreed, expected] of [
      [undefined, 'agent'],
      ['a reason', 'gateway'],
    ] as const) {
      const client = { roundTrip: async () => 1, agreed: Promise.resolve(agreed) };
      assert.equal(await proveTunnel(client, limits, new AbortController().signal), expected);
    }
  });

  test('is given up with its caller, also while it waits for the agreement', async () => {
    const baseline = resourceBaseline();
    for (const when of ['before', 'while'] as const) {
      const controller = new AbortController();
      const client = {
        roundTrip: async () => {
          if (when === 'before') controller.abort();
          else setImmediate(() => controller.abort());
          return 1;
        },
        agreed: never,
      };
      await assert.rejects(proveTunnel(client, limits, controller.signal), { code: 'cancelled' });
    }
    await resourcesSettled(baseline);
  });

  test('has a deadline for the agreement too', async () => {
    const client = { roundTrip: async () => 1, agreed: never };
    const short = { ...limits, enrolTimeoutMs: 20 };
    for (const signal of [undefined, new AbortController().signal])
      await assert.rejects(proveTunnel(client, short, signal), {
        code: 'gateway_protocol',
        message: 'the tunnel carried no response within 20 ms',
      });
  });
});
