// A helper that is started before there is a plan: it is taken once, by who needs just such a one, or it ends.

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

import { HelperAhead, type HelperStart } from '../../../src/agent/jail/helper-process.ts';
import type { HelperProgram } from '../../../src/agent/jail/jail-plan.ts';
import { namespaceStart } from '../../../src/agent/jail/network-namespace.ts';
import { helperAhead } from '../../../src/cli/run/helper-ahead.ts';

const layers = ['no-new-privs'] as const;
/** It ends with its input, as the helper does with its control descriptor. */
const waiting: HelperProgram = { file: '/bin/sh', args: ['-c', 'read -r _ <&3'] };
const skip = 'reason' in namespaceStart(waiting) ? 'nothing here can make namespaces' : false;

/** What is wanted of it by who knows the plan. */
function wanted(program: HelperProgram): HelperStart {
  const start = namespaceStart(program);
  assert.ok(!('reason' in start));
  return { program: start.program, layers, hasStarter: start.startedBy !== undefined };
}

function ahead(program: HelperProgram): HelperAhead {
  const started = HelperAhead.start(program, layers);
  assert.ok(started !== undefined);
  return started;
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

test('a helper ahead is taken once, and then is its taker’s', { skip }, async () => {
  using one = ahead(waiting);
  const child = one.take(wanted(waiting));
  assert.ok(child?.pid !== undefined);
  assert.equal(one.take(wanted(waiting)), undefined);
  one[Symbol.dispose]();
  assert.equal(child.killed, false);
  await ended(child);
});

test('one that was started otherwise is not taken', { skip }, async () => {
  using one = ahead(waiting);
  const start = wanted(waiting);
  assert.equal(one.take({ ...start, layers: ['landlock'] }), undefined);
  assert.equal(one.take({ ...start, hasStarter: !start.hasStarter }), undefined);
  assert.equal(one.take({ ...start, program: { file: '/bin/true', args: [] } }), undefined);
  const child = one.take(start);
  assert.ok(child !== undefined);
  await ended(child);
});

const cannotWait =
  process.versions['bun'] === undefined ? false : 'Bun does not list the processes that it waits for';
const skipWait = skip === false ? cannotWait : skip;

/** The end of a process is told by the event loop. This process has no other one. */
async function nothingRuns(): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (process.getActiveResourcesInfo().includes('ProcessWrap')) {
    assert.ok(performance.now() < deadline, 'it did not end');
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

test('one that was disposed is not taken', { skip }, () => {
  const one = ahead(waiting);
  one[Symbol.dispose]();
  assert.equal(one.take(wanted(waiting)), undefined);
});

test('one that nobody took ends when it is disposed', { skip: skipWait }, async () => {
  const one = ahead(waiting);
  assert.ok(process.getActiveResourcesInfo().includes('ProcessWrap'));
  one[Symbol.dispose]();
  await nothingRuns();
});

test('one that has ended is not taken', { skip: skipWait }, async () => {
  const short: HelperProgram = { file: '/bin/true', args: [] };
  using one = ahead(short);
  await nothingRuns();
  assert.equal(one.take(wanted(short)), undefined);
});

test('one that was never there is not taken', { skip }, () => {
  const missing: HelperProgram = { file: '/nowhere/helper', args: [] };
  // Else there is a program, which starts it.
  if (wanted(missing).hasStarter) return;
  using none = ahead(missing);
  assert.equal(none.take(wanted(missing)), undefined);
});

test('none is started where another would be needed, or would have the descriptor of the token', () => {
  for (const args of [
    ['--isolate=off', '--', 'true'],
    ['--isolate', 'off'],
    ['--jail-layers', 'network'],
    ['--jail-layers=network'],
    ['--token-fd=3'],
    ['--token-fd', '3'],
  ])
    assert.equal(helperAhead(args), undefined, args.join(' '));
});
