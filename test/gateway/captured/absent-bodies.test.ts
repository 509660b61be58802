// Where no body is shown, the reason is the event's own: which machine has it, or that nobody has.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyNoBodies } from '../../../src/gateway/captured/absent-bodies.ts';

test('the machine that keeps bodies is named, and nothing else is said of those that nobody kept', () => {
  for (const [captured, expected] of [
    [undefined, /no rule asked for it$/],
    [{ dropped: true }, /there was no room$/],
    [
      { request: 1, machine: 'gateway-b' },
      /by the gateway on the machine gateway-b, and this is gateway-a: ask there$/,
    ],
    [{ request: 1, machine: 'gateway-a' }, /expired, or another gateway of this machine has them$/],
    // Of an event from before the machine was written down.
    [{ request: 1 }, /expired, or another gateway of this machine has them$/],
    [{ request: 1, machine: 'b\u001b[2J\u202e' }, /on the machine b \[2J , and/],
  ] as const)
    assert.match(whyNoBodies(captured === undefined ? {} : { captured }, 'gateway-a'), expected);
});
