import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openGitScene } from '../support/git-scene.ts';

const agentRule = `
  - { name: agent-branches, HOST, ADDRESSES, inject: token, git: { repository: acme/project, operations: [fetch, push], refs: refs/heads/agent/** } }`;

test('a push to an allowed branch passes, one to another is refused in words that git prints', async () => {
  await using scene = await openGitScene(agentRule);
  await scene.mustGit('commit', '--quiet', '--allow-empty', '-m', 'second');
  const allowed = await scene.git('push', 'origin', 'HEAD:refs/heads/agent/work');
  const refused = await scene.git('push', 'origin', 'HEAD:main');
    scene.path.audit.map((e) => [
      e.method,
      e.path,
      e.verdict,
      e.status,
      e.rule,
      e.message,
      JSON.stringify(e.git),
    ]),
  );
  assert.equal(allowed.code, 0);
});
