// The line that says how far something is: when it comes, how often, and that it is gone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withProgress } from '../../../src/cli/terminal/progress.ts';

const erased = '\r\u001b[K';

/** A terminal whose clock stands still, unless it is moved. */
function scene({ isTTY = true, columns = 40, environment = {} } = {}) {
  const written: string[] = [];
  let nowMs = 0;
  return {
    written,
    pass: (ms: number) => (nowMs += ms),
    needs: {
      stream: { isTTY, columns, write: (text: string) => written.push(text) },
      environment,
      clock: () => nowMs,
    },
  };
}

const loud = { quiet: false };

test('it comes after a while, no oftener than a person reads, and is gone at the end', async () => {
  const { written, pass, needs } = scene();
  let count = 0;
  const result = await withProgress(
    loud,
    () => `${count} events`,
    async (step) => {
      for (; count < 1000; count += 1) {
        step();
        pass(1);
      }
      assert.deepEqual(written, [`${erased}500 events`, `${erased}700 events`, `${erased}900 events`]);
      return 'done';
    },
    needs,
  );
  assert.equal(result, 'done');
  assert.equal(written.at(-1), erased);
  assert.equal(written.length, 4);
});

test('what is done soon has none, and nothing to take away', async () => {
  const { written, pass, needs } = scene();
  await withProgress(
    loud,
    () => 'x',
    async (step) => {
      pass(499);
      step();
    },
    needs,
  );
  assert.deepEqual(written, []);
});

test('it is taken away before a fault is told, and comes no more', async () => {
  const { written, pass, needs } = scene();
  let later = (): void => assert.fail('it was called');
  const failed = withProgress(
    loud,
    () => 'x',
    async (step) => {
      later = step;
      pass(500);
      step();
      throw new Error('fault');
    },
    needs,
  );
  await assert.rejects(failed, /fault/);
  pass(500);
  later();
  assert.deepEqual(written, [`${erased}x`, erased]);
});

test('it is one line of the terminal, and nothing in it acts on that', async () => {
  const { written, pass, needs } = scene({ columns: 20 });
  await withProgress(
    loud,
    () => `a\u001b[2J\nb${'c'.repeat(40)}`,
    async (step) => {
      pass(500);
      step();
    },
    needs,
  );
  assert.deepEqual(written, [`${erased}${String.raw`a\u{1b}[2J\u{a}bcc`}…`, erased]);
});

test('a file, a terminal that knows nothing and --quiet have none', async () => {
  for (const [options, given] of [
    [loud, { isTTY: false }],
    [loud, { isTTY: false, environment: { CLICOLOR_FORCE: '1' } }],
    [loud, { environment: { TERM: 'dumb' } }],
    [{ quiet: true }, {}],
  ] as const) {
    const { written, pass, needs } = scene(given);
    await withProgress(
      options,
      () => 'x',
      async (step) => {
        pass(1000);
        step();
      },
      needs,
    );
    assert.deepEqual(written, []);
  }
});

test('it leaves no listener behind', async () => {
  const before = process.listenerCount('SIGINT');
  const { needs } = scene();
  await withProgress(
    loud,
    () => 'x',
    async () => assert.equal(process.listenerCount('SIGINT'), before + 1),
    needs,
  );
  assert.equal(process.listenerCount('SIGINT'), before);
});
