// The waits between the end of a command and that of `run`: one time for all of them.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { RunEnding, type EndingSteps } from '../../../src/cli/run/run-ending.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

const { runEndTimeoutMs, leftoverGraceMs, leftoverKilledMs, auditFlushDelayMs } = defaultLimits;

/** Steps that each take all the time that they get, on a clock of their own. Returns what each got, and when all was over. */
async function playedOut({ leftoversMs = 0, hangs = true }): Promise<Record<string, number>> {
  let nowMs = 0;
  const ending = new RunEnding(() => nowMs);
  ending.begin();
  nowMs += leftoversMs;
  const got: Record<string, number> = {};
  const take = (name: string, ms: number): void => {
    got[name] = ms;
    if (hangs) nowMs += ms;
  };
  const steps: EndingSteps = {
    ask: async () => 'told',
    closeProxy: async ({ drainMs, withinMs }) => {
      got['drain'] = drainMs;
      take('proxy', withinMs);
    },
    closeGateway: async (withinMs) => take('gateway', withinMs),
    giveBack: async () => undefined,
    summary: async (withinMs) => {
      take('summary', withinMs);
      return ', summed up';
    },
  };
  assert.equal(await ending.end(steps), 'told, summed up');
  return { ...got, over: nowMs };
}

test('when every step takes all that it gets, run ends within its time, and each step had some', async () => {
  const got = await playedOut({});
  assert.ok((got['over'] ?? Infinity) <= runEndTimeoutMs, JSON.stringify(got));
  assert.ok((got['drain'] ?? 0) > 0 && (got['drain'] ?? 0) <= (got['proxy'] ?? 0), JSON.stringify(got));
  assert.ok((got['gateway'] ?? 0) > 0, JSON.stringify(got));
});

test('what the command left behind counts: nothing is left to drain, and it is over in time all the same', async () => {
  const leftoversMs = leftoverGraceMs + leftoverKilledMs;
  const got = await playedOut({ leftoversMs });
  assert.ok((got['over'] ?? Infinity) <= runEndTimeoutMs, JSON.stringify(got));
  assert.equal(got['drain'], 0);
  assert.ok((got['gateway'] ?? 0) > 0, JSON.stringify(got));
});

test('a gateway of its own has time to write its audit, however late it is: no later process completes it', async () => {
  const least = 8 * auditFlushDelayMs;
  for (const leftoversMs of [0, runEndTimeoutMs - 200, runEndTimeoutMs - 100, 10 * runEndTimeoutMs]) {
    const got = await playedOut({ leftoversMs });
    assert.ok((got['gateway'] ?? 0) >= least, JSON.stringify(got));
    // Nothing else makes it longer.
    const over = Math.max(runEndTimeoutMs, leftoversMs + least + (got['summary'] ?? 0));
    assert.ok((got['summary'] ?? 0) > 0, JSON.stringify(got));
    assert.ok((got['over'] ?? Infinity) <= over, JSON.stringify(got));
  }
});

test('where nothing hangs, the gateway has nearly all of the time', async () => {
  const got = await playedOut({ hangs: false });
  assert.ok((got['gateway'] ?? 0) >= runEndTimeoutMs - 200, JSON.stringify(got));
  assert.equal(got['summary'], runEndTimeoutMs);
});

test('a gateway that tells nothing is waited for no longer than that, and it is said that nothing is known', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const ending = new RunEnding(() => 0);
    const closed = Promise.withResolvers<void>();
    const ended = ending.end({
      ask: () => new Promise(() => {}),
      closeProxy: async () => closed.resolve(),
      closeGateway: async () => undefined,
      giveBack: async () => undefined,
      summary: undefined,
    });
    mock.timers.tick(runEndTimeoutMs);
    await closed.promise;
    assert.equal(
      await ended,
      'upstreamproxy: what was refused in this run is not known here: the gateway did not tell it in time\n',
    );
  } finally {
    mock.timers.reset();
  }
});

test('a summary that fails costs a line, and nothing else', async () => {
  const told = await new RunEnding().end({
    ask: async () => '',
    closeProxy: async () => undefined,
    closeGateway: async () => undefined,
    giveBack: async () => undefined,
    summary: async () => {
      throw new Error('Cannot find module');
    },
  });
  assert.match(told, /^upstreamproxy: what was refused in this run is not known here: [^\n]*\n$/);
});
