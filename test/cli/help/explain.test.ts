import assert from 'node:assert/strict';
import { test } from 'node:test';

import { errorAdvice } from '../../../src/protocol/error-advice.ts';
import { errorTable } from '../../../src/protocol/error-table.ts';
import { limitTable } from '../../../src/protocol/limits.ts';
import { assertDocsTable } from '../../protocol/docs-table.ts';
import { mustRun, runCommand } from '../../support/command.ts';
import { launcher } from '../../support/program.ts';

test('the page of errors says what explain says', () => {
  const sections = Object.entries(errorAdvice).map(([code, advice]) => `### \`${code}\`\n\n${advice}`);
  assertDocsTable('errors.md', 'advice', `\n${sections.join('\n\n')}\n`);
});

test('each advice is whole sentences, and commands and limits in it are there', async () => {
  const { definitions } = await import('../../../src/cli/commands/definitions.ts');
  const names = new Set([...definitions.map(({ name }) => name), 'help', 'version']);
  for (const code of Object.keys(errorTable) as (keyof typeof errorTable)[]) {
    const advice = errorAdvice[code];
    assert.match(advice, /^[A-Z`].*[.]$/, code);
    for (const [, name = ''] of advice.matchAll(/`upstreamproxy ([a-z-]+)/g))
      assert.ok(names.has(name), `${code}: ${name}`);
  }
});

test('an error is explained with its numbers, a limit with its value', async () => {
  const denied = await mustRun(launcher, ['explain', 'policy_denied']);
  assert.match(denied, /^policy_denied\n\nNo rule allows the request, or a rule denies it\.\n\nWhat to do: /);
  assert.match(denied, /HTTP status +403\n +exit code +77\n/);
  const limit = JSON.parse(await mustRun(launcher, ['explain', 'headTimeoutMs', '--json']));
  const { value, code, reason } = limitTable.headTimeoutMs;
  assert.deepEqual(
    [limit.kind, limit.value, limit.unit, limit.error, limit.meaning],
    ['limit', value, 'milliseconds', code, reason],
  );
});

test('a name that is nearly right is guessed, and one that is not is refused in a line', async () => {
  const near = await runCommand(launcher, ['explain', 'policy_denid']);
  assert.equal(near.code, 64);
  assert.match(near.stderr, /did you mean policy_denied\?/);
  const other = await runCommand(launcher, ['explain', '__proto__']);
  assert.equal(other.code, 64);
  assert.match(
    other.stderr,
    /^upstreamproxy: NAME is an error code .*, not "__proto__"; see: upstreamproxy help explain \[usage\]\n$/,
  );
});
