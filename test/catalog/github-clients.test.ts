// `include: catalog/github` with the real clients, git and gh, in front of servers of GitHub's shape. `npm run test:catalog` runs it.

import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { canary, findCanary } from '../support/canary.ts';
import { type CommandResult, mustRun, runCommand } from '../support/command.ts';
import { type AgentProcess, deploy, type Deployment } from '../support/deployment.ts';
import { gitEnvironment, gitServer, type GitServer } from '../support/git-server.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { skipWithout } from '../support/tools.ts';
import { at443 } from './support/at-443.ts';
import { type GithubServer, openGithub } from './support/github-server.ts';

const isAsked = process.env['TEST_CATALOG'] !== undefined;
const timeoutMs = 120_000;
const addresses = { 'api.github.com': '127.80.0.1', 'github.com': '127.80.0.2' } as const;
const token = `ghp_${canary('github')
  .replaceAll(/[^A-Za-z0-9]/g, '')
  .slice(0, 36)}`;

for (const access of ['read', 'write'] as const)
  describe(
    `catalog/github with access ${access === 'read' ? 'read' : 'read and write'}`,
    { skip: isAsked ? skipWithout('git', 'gh') : 'npm run test:catalog runs it' },
    () => {
      let stack: AsyncDisposableStack;
      let github: GithubServer;
      let git: GitServer;
      let set: Deployment;
      let agent: AgentProcess;

      before(async () => {
        stack = new AsyncDisposableStack();
        const authority = createTestAuthority();
        github = stack.use(await openGithub(authority, token));
        const basic = `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
        git = stack.use(await gitServer({ authority, repository: 'acme/app', expectedAuthorization: basic }));
        stack.use(await at443(addresses['api.github.com'], github.origin.port));
        stack.use(await at443(addresses['github.com'], git.port));
        set = stack.use(
          await deploy({
            authority,
            hosts: addresses,
            rules: [
              {
                name: 'github',
                include: 'catalog/github',
                addresses: '127.0.0.0/8',
                git: { repository: 'acme/app' },
                catalog: {
                  access: access === 'read' ? 'read' : ['read', 'write'],
                  inject: { api: 'api', git: 'git' },
                },
              },
            ],
            credentials: {
              api: { kind: 'bearer', source: { env: 'TOKEN' }, placeholder: { env: 'GH_TOKEN' } },
              git: { kind: 'basic', username: 'x-access-token', source: { env: 'TOKEN' } },
            },
            environment: { ...process.env, TOKEN: token },
          }),
        );
        agent = stack.use(await set.startAgent());
      });
      after(() => stack[Symbol.asyncDispose]());

      const told: string[] = [];
      async function run(file: string, ...args: readonly string[]): Promise<CommandResult> {
        const home = join(set.directory, 'home');
        await mkdir(home, { recursive: true });
        const quiet = { GH_PROMPT_DISABLED: '1', GH_NO_UPDATE_NOTIFIER: '1', GIT_TERMINAL_PROMPT: '0' };
        const env = { ...gitEnvironment, GH_TOKEN: 'ghp_placeholder', ...agent.env, ...quiet, HOME: home };
        const result = await runCommand(file, args, { env, cwd: set.directory, timeoutMs });
        told.push(result.stdout, result.stderr);
        return result;
      }

      test('gh reads: REST, GraphQL, and lists of issues', async () => {
        const repository = await run('gh', 'api', 'repos/acme/app', '--jq', '.full_name');
        assert.deepEqual([repository.code, repository.stdout], [0, 'acme/app\n'], repository.stderr);
        const view = await run('gh', 'repo', 'view', 'acme/app', '--json', 'nameWithOwner');
        assert.deepEqual([view.code, view.stdout.trim()], [0, '{"nameWithOwner":"acme/app"}'], view.stderr);
        const issues = await run('gh', 'issue', 'list', '-R', 'acme/app', '--json', 'title');
        assert.equal(issues.code, 0, issues.stderr);
        assert.match(issues.stdout, /"title":"first"/);
      });

      test('gh writes as far as the rule lets it, by REST and by a mutation', async () => {
        const count = github.issues.length;
        const rest = await run('gh', 'api', 'repos/acme/app/issues', '-f', 'title=by REST');
        const mutation = await run('gh', 'issue', 'create', '-R', 'acme/app', '-t', 'by GraphQL', '-b', 'x');
        const expected = access === 'write' ? 0 : 1;
        assert.equal(rest.code, expected, rest.stderr);
        assert.equal(mutation.code, expected, mutation.stderr);
        assert.equal(github.issues.length, count + (access === 'write' ? 2 : 0));
        if (access === 'read') assert.match(rest.stderr + mutation.stderr, /403/);
      });

      test('what reveals secrets is denied to gh, with the reason', async () => {
        const logs = await run('gh', 'api', 'repos/acme/app/actions/jobs/1/logs');
        assert.equal(logs.code, 1);
        assert.doesNotMatch(logs.stdout, /hunter2/);
        assert.match(logs.stdout + logs.stderr, /logs of runs and artifacts can hold secrets/);
      });

      test('git clones, and pushes as far as the rule lets it', async () => {
        const copy = join(set.directory, 'copy');
        await rm(copy, { recursive: true, force: true });
        const clone = await run('git', 'clone', '--quiet', 'https://github.com/acme/app.git', copy);
        assert.equal(clone.code, 0, clone.stderr);
        await writeFile(join(copy, 'file'), access);
        for (const args of [
          ['add', 'file'],
          ['commit', '--quiet', '-m', access],
        ])
          await mustRun('git', ['-C', copy, ...args], { env: gitEnvironment });
        const push = await run('git', '-C', copy, 'push', '--quiet', 'origin', 'HEAD:refs/heads/other');
        assert.equal(push.code === 0, access === 'write', push.stderr);
        const other = await run('git', 'ls-remote', 'https://github.com/acme/other.git');
        assert.notEqual(other.code, 0);
      });

      test('the token reached the servers, and is in nothing that a client or the audit got', async () => {
        const seen = [...github.origin.requests, ...git.requests].map(({ headers }) => headers.authorization);
        assert.ok(seen.length > 5 && seen.includes(`Bearer ${token}`));
        const audit = JSON.stringify(await set.audit());
        assert.ok(audit.includes('github/api-read') && audit.includes('github/git-fetch'));
        for (const text of [told.join('\n'), audit, JSON.stringify(agent.env), agent.said()])
          assert.deepEqual(findCanary(text, token), []);
      });
    },
  );
