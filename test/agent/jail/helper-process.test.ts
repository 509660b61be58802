// A helper that is started before there is a plan: it is taken once, by who needs just such a one, or it ends.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import { HelperAhead, type HelperStart } from '../../../src/agent/jail/helper-process.ts';
import type { HelperProgram } from '../../../src/agent/jail/jail-plan.ts';
import { namespaceStart } from '../../../src/agent/jail/network-namespace.ts';
import { helperAhead } from '../../../src/cli/run/helper-ahead.ts';

/** It ends with its input, as the helper does with its control descriptor. */
const program: HelperProgram = { file: '/bin/sh', args: ['-c', 'read -r _ <&3'] };

/** What is wanted by who knows the plan. */
function wanted(layers: HelperStart['layers']): HelperStart | undefined {
  const start = namespaceStart(program);
  if ('reason' in start) return undefined;
  return { program: start.program, layers, hasStarter: start.startedBy !== undefined };
}

test('a helper ahead is taken once, and then is its taker’s', async (context) => {
  const start = wanted(['no-new-privs']);
  if (start === undefined) return context.skip('nothing here can make namespaces');
  using ahead = HelperAhead.start(program, ['no-new-privs']);
  const child = ahead?.take(start);
  assert.ok(child?.pid !== undefined);
  assert.equal(ahead?.take(start), undefined);
  ahead?.[Symbol.dispose]();
  assert.equal(child.killed, false);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
});

test('one that was started otherwise is not taken, and ends', async (context) => {
  const start = wanted(['no-new-privs']);
  if (start === undefined) return context.skip('nothing here can make namespaces');
  const ahead = HelperAhead.start(program, ['no-new-privs']);
  assert.equal(ahead?.take({ ...start, layers: ['landlock'] }), undefined);
  assert.equal(ahead?.take({ ...start, hasStarter: !start.hasStarter }), undefined);
  assert.equal(ahead?.take({ ...start, program: { file: '/bin/true', args: [] } }), undefined);
  const child = ahead?.take(start);
  assert.ok(child !== undefined);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
});

test('one that has ended is not taken', async (context) => {
  const start = wanted(['no-new-privs']);
  if (start === undefined) return context.skip('nothing here can make namespaces');
  const short: HelperProgram = { file: '/bin/true', args: [] };
  const shortStart = namespaceStart(short);
  assert.ok(!('reason' in shortStart));
  using ahead = HelperAhead.start(short, ['no-new-privs']);
  const taken = (): unknown => ahead?.take({ ...start, program: shortStart.program });
  // Its end is told by the event loop.
  const deadline = performance.now() + 10_000;
  await new Promise<void>((resolve) => {
    const look = setInterval(() => {
      if (process.getActiveResourcesInfo().includes('ProcessWrap') && performance.now() < deadline) return;
      clearInterval(look);
      resolve();
    }, 5);
  });
  assert.equal(taken(), undefined);
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
