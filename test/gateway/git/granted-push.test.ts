// A grant for pushes with a real git client and server: the branch that it names arrives, everything else is refused before anything goes out.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessRequest, Decision, Policy, Principal } from '../../../src/policy/decision.ts';
import { GrantedPolicy } from '../../../src/policy/granted-policy.ts';
import { pushGrant } from '../../../src/policy/push-grant.ts';
import { openGitScene } from '../support/git-scene.ts';

test('a branch of the grant is pushed; another one, a deletion, an option and a fetch are not', async () => {
  const push = pushGrant('acme/project', ['refs/heads/agent/*']);
  assert.ok(typeof push !== 'string');
  let port = 0;
  const over = (base: Policy): Policy => {
    const subject = { principalId: 'p' };
    const grant = { id: 'g', subject, scheme: 'https', host: 'git.test', port, push, endsMs: 1e15 } as const;
    const granted = new GrantedPolicy(base, [grant], {});
    const decide = (principal: Principal, access: AccessRequest, nowMs: number): Decision => {
      const decision = granted.decide({ ...principal, id: 'p' }, access, nowMs);
      // A grant opens no private address, and the server of the test has one.
      return decision.effect === 'allow' ? { ...decision, addresses: ['127.0.0.0/8'] } : decision;
    };
    return {
      version: granted.version,
      decide,
      capturePorts: (principal) => granted.capturePorts(principal),
      rulesFor: (...args) => granted.rulesFor(...args),
      blindHosts: (principal) => granted.blindHosts(principal),
      sshHosts: (principal) => granted.sshHosts(principal),
      injected: (principal) => granted.injected(principal),
      revokesTokens: granted.revokesTokens,
      signing: (principal) => granted.signing(principal),
      changesBetween: (fromMs, toMs, host) => granted.changesBetween(fromMs, toMs, host),
    };
  };
  await using scene = await openGitScene('\n  - { name: other, hosts: other.test }', { over });
  ({ port } = scene.server);
  await scene.mustGit('commit', '--quiet', '--allow-empty', '-m', 'second');
  const id = (await scene.mustGit('rev-parse', 'HEAD')).trim();
  const allowed = await scene.git('push', 'origin', 'HEAD:refs/heads/agent/work');
  assert.equal(allowed.code, 0, allowed.stderr);
  assert.equal(await scene.remote('refs/heads/agent/work'), id);
  for (const args of [
    ['push', 'origin', 'HEAD:main'],
    ['push', 'origin', 'HEAD:refs/heads/agent/two', 'HEAD:main'],
    ['push', 'origin', ':refs/heads/agent/work'],
    ['push', '-o', 'ci.skip', 'origin', 'HEAD:refs/heads/agent/three'],
    ['fetch', 'origin'],
  ]) {
    const refused = await scene.git(...args);
    assert.notEqual(refused.code, 0, args.join(' '));
  }
  assert.equal(await scene.remote('refs/heads/agent/work'), id);
  assert.equal(await scene.remote('refs/heads/agent/two'), '');
  assert.equal(await scene.remote('refs/heads/agent/three'), '');
  assert.notEqual(await scene.remote('refs/heads/main'), id);
  const told = await scene.git('push', 'origin', 'HEAD:main');
  assert.match(
    told.stderr,
    /remote: .*The grant g allows a push that is no more than this: push; refs refs\/heads\/agent\/\*/,
  );
});
