import assert from 'node:assert/strict';
import { test } from 'node:test';

import { withoutCommands, workflowCommand } from '../../../src/cli/job/workflow-command.ts';

test('a workflow command is one line, and no text ends it or makes another property', () => {
  assert.equal(
    workflowCommand('error', 'a\r\n::add-mask::x 100%', { title: 'a:b,c=d\n', file: 'p' }),
    '::error title=a%3Ab%2Cc=d%0A,file=p::a%0D%0A::add-mask::x 100%25\n',
  );
  assert.equal(workflowCommand('warning', 'x'), '::warning::x\n');
});

test('lines for a log are no orders, in either of the forms that the runner knows', () => {
  const lines = '::stop-commands::x\n  ::error::y\nGET /##[add-mask]z\nupstreamproxy: a::b\r::c\n';
  assert.equal(
    withoutCommands(lines),
    '\\u{3a}:stop-commands::x\n  \\u{3a}:error::y\nGET /##\\u{5b}add-mask]z\nupstreamproxy: a::b\\u{d}::c\n',
  );
});

test('what .NET takes for a blank, or does not see, hides no order', () => {
  for (const blank of ['\u0085', '\u00a0', '\u2028', '\ufeff', '\u200b', '\0', ' \u0085 ']) {
    assert.equal(withoutCommands(`${blank}::add-mask::x`), `${blank}\\u{3a}:add-mask::x`);
  }
});
