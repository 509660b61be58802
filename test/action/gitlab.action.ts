// The component for GitLab with a gateway elsewhere, which it shows the token of the job.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { deployElsewhere, openActionStage } from '../support/action-stage.ts';
import { mustRun, runCommand } from '../support/command.ts';
import { includeComponent } from '../support/gitlab-component.ts';
import { skipWithout } from '../support/tools.ts';

const template = new URL('../../templates/upstreamproxy/template.yml', import.meta.url);

test(
  'a job of GitLab shows a gateway elsewhere its token, and fails by its last line if something was refused',
  { skip: skipWithout('sh', 'curl') },
  async () => {
    await using stage = await openActionStage();
    await using deployment = await deployElsewhere(stage);
    const jobs = includeComponent(await readFile(template, 'utf8'), {
      job: '.with-gateway',
      program: stage.inputs['program']!,
      gateway: deployment.gateway.url,
      'gateway-ca': deployment.gatewayCaFile,
    });
    const job = jobs['.with-gateway']!;
    assert.equal(job.id_tokens['UPSTREAMPROXY_ID_TOKEN']?.aud, 'upstreamproxy');
    const project = stage.runner.workspace;
    const env = {
      ...stage.runner.base,
      ...job.variables,
      UPSTREAMPROXY_ID_TOKEN: await stage.issueToken('project_path:acme/shop'),
      CI_PROJECT_DIR: project,
      CI_JOB_ID: '18',
    };
    const script = [
      ...job.before_script,
      'curl -sS https://api.example.com/hello',
      'curl -s -o /dev/null https://other.example.com/ || true',
      'mkdir elsewhere; cd elsewhere; upstreamproxy_end',
    ];
    const { code, stdout, stderr } = await runCommand('sh', ['-e', '-c', script.join('\n')], {
      cwd: project,
      env,
    });
    assert.equal(code, 1, stdout + stderr);
    assert.match(stdout, /^hello$/m);
    assert.match(stderr, /GET https:\/\/other\.example\.com\/: policy_denied/);
    assert.match(await readFile(`${project}/upstreamproxy.md`, 'utf8'), /^## upstreamproxy: 1 refused/);
    await mustRun('sh', ['-e', '-c', job.after_script.join('\n')], { cwd: project, env });
    assert.deepEqual(await readdir(`${project}.tmp`), []);
  },
);
