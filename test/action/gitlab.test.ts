// The component for GitLab, with the shells that a job of it gets: one for before_script and script, another for after_script.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { packageVersion } from '../../src/system/package-version.ts';
import { openActionStage } from '../support/action-stage.ts';
import { runCommand } from '../support/command.ts';
import { componentInputs, includeComponent } from '../support/gitlab-component.ts';
import { skipWithout } from '../support/tools.ts';

const template = new URL('../../templates/upstreamproxy/template.yml', import.meta.url);

const nameOf = (id: string, token = ''): string =>
  `upstreamproxy-${createHash('sha256').update(`${id} ${token}`).digest('hex').slice(0, 32)}`;

test('the component uses the inputs that it defines, each with a description and a default, and installs the version that it is of', async () => {
  const { used, specs } = componentInputs(await readFile(template, 'utf8'));
  assert.equal(specs['version']?.default, packageVersion());
  assert.deepEqual([...used].sort(), Object.keys(specs).sort());
  for (const [name, { description, default: otherwise }] of Object.entries(specs))
    assert.ok(description !== undefined && otherwise !== undefined, name);
  assert.throws(() => includeComponent('spec:\n  inputs: {}\n---\na: 1\n', { other: 'x' }), /unknown input/);
});

test(
  'a job with the component is observed, and leaves its summary and nothing else',
  { skip: skipWithout('sh', 'curl') },
  async () => {
    await using stage = await openActionStage();
    const { workspace } = stage.runner;
    const project = join(workspace, 'project');
    await mkdir(project);
    await stage.write('project/upstreamproxy.md', 'of an earlier job');
    await stage.write('project/policy.yaml', 'rules:\n  - name: api\n    hosts: api.example.com\n');
    const jobs = includeComponent(await readFile(template, 'utf8'), {
      program: stage.inputs['program']!,
      policy: 'policy.yaml',
      observe: true,
    });
    const job = jobs['.upstreamproxy']!;
    const env = {
      ...stage.runner.base,
      ...job.variables,
      UPSTREAMPROXY_ID_TOKEN: 'not.for.us',
      CI_PROJECT_DIR: project,
      CI_JOB_ID: '17',
      CI_JOB_TIMEOUT: '600',
      CI_JOB_TOKEN: 'of-job-17',
    };
    const shell = async (lines: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await runCommand('sh', ['-e', '-c', lines.join('\n')], {
        cwd: project,
        env,
      });
      assert.equal(code, 0, stdout + stderr);
      return stdout + stderr;
    };
    const said = await shell([
      ...job.before_script,
      'test -n "$HTTPS_PROXY"; test -z "${UPSTREAMPROXY_ID_TOKEN:-}"',
      'curl -s http://127.0.0.2:9/ || true; cd ..',
    ]);
    assert.match(said, /nothing public is refused, and the policy is tried/);
    await shell(job.after_script);
    assert.match(
      await readFile(join(project, 'upstreamproxy.md'), 'utf8'),
      /^## upstreamproxy: 1 request, 1 refused/,
    );
    assert.deepEqual(await readdir(`${project}.tmp`), []);
    // What has no end that anybody could tell of is removed all the same.
    const own = `${project}.tmp/${nameOf('17', 'of-job-17')}`;
    await mkdir(join(own, 'job', 'somebodys'), { recursive: true });
    assert.match(await shell(job.after_script), /is not the folder of a job/);
    assert.deepEqual(await readdir(`${project}.tmp`), []);
    // What an earlier job put where it guesses that this one looks is neither used nor removed.
    await mkdir(`${project}.tmp/${nameOf('17')}/job`, { recursive: true });
    await shell(job.after_script);
    assert.deepEqual(await readdir(`${project}.tmp`), [nameOf('17')]);
    await mkdir(`${project}.tmp/${nameOf('17', 'of-job-17')}`);
    const taken = await runCommand('sh', ['-e', '-c', job.before_script.join('\n')], { cwd: project, env });
    assert.match(taken.stderr, /exists/);
    assert.notEqual(taken.code, 0);
    assert.deepEqual(job.artifacts.paths, ['upstreamproxy.md']);
  },
);
