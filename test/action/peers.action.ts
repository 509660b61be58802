// Programs of others that read what we write: Microsoft's validator of SARIF, and `gitlab-ci-local`, which runs jobs of GitLab as it reads them.

import assert from 'node:assert/strict';
import { access, chmod, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { jobSarif } from '../../src/cli/job/job-sarif.ts';
import { loudFacts, quietFacts } from '../cli/job/facts.ts';
import { openActionStage } from '../support/action-stage.ts';
import { mustRun, runCommand } from '../support/command.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { findTool } from '../support/tools.ts';

/** Where scripts/test-action.ts has put them. */
const peers = process.env['ACTION_PEERS'];
const template = 'templates/upstreamproxy/template.yml';
const root = fileURLToPath(new URL('../..', import.meta.url));

const validator = peers === undefined ? '' : join(peers, '@microsoft/sarif-multitool-linux/Sarif.Multitool');
const noValidator = await access(validator).then(
  () => (process.getuid?.() === 0 && findTool('unshare') !== undefined ? false : 'needs root and unshare'),
  () => 'no validator: npm run test:action brings it on x64',
);

test(
  "the validator of SARIF's authors finds no error in what is written",
  { skip: noValidator },
  async () => {
    await using directory = await temporaryDirectory();
    await chmod(validator, 0o755);
    const validate = async (text: string): Promise<string> => {
      const file = join(directory.path, 'log.sarif');
      await writeFile(file, text);
      // It would ask the internet for the schema that the log names, and has it inside.
      const args = ['-n', validator, 'validate', file, '--level', 'Error', '--rule-kind', 'Sarif;Ghas'];
      const env = { ...process.env, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: '1', HOME: directory.path };
      const { stdout, stderr } = await runCommand('unshare', args, { env });
      assert.match(stdout + stderr, /Analysis completed successfully/);
      return stdout + stderr;
    };
    for (const text of [jobSarif(loudFacts, 'policy.yaml'), jobSarif(quietFacts, undefined)])
      assert.doesNotMatch(await validate(text), /: error /);
    const broken = jobSarif(loudFacts, 'policy.yaml').replace('"message"', '"massage"');
    assert.match(
      await validate(broken),
      /error JSON1002: runs\[0\]\.results\[0\]: The required property 'message'/,
    );
  },
);

test(
  'gitlab-ci-local takes the component by its schema of GitLab, and runs a job with it',
  { skip: peers === undefined && 'npm run test:action brings gitlab-ci-local' },
  async () => {
    await using stage = await openActionStage();
    const project = join(stage.runner.workspace, 'project');
    await mkdir(join(project, 'templates/upstreamproxy'), { recursive: true });
    await cp(join(root, template), join(project, template));
    await stage.write('project/policy.yaml', 'rules:\n  - name: api\n    hosts: api.example.com\n');
    const include = { local: template, inputs: { policy: 'policy.yaml', program: stage.inputs['program'] } };
    const job = (name: string, lines: readonly string[]): string =>
      `${name}:\n  extends: .upstreamproxy\n  script:\n${lines.map((line) => `    - ${line}\n`).join('')}`;
    const refused = 'curl -s -o /dev/null https://other.example.com/ || true';
    const text = `include: [${JSON.stringify(include)}]\n${job('held', [refused, 'upstreamproxy_end'])}${job('told', [refused])}`;
    await writeFile(join(project, '.gitlab-ci.yml'), text);
    const env = {
      ...stage.runner.base,
      GIT_AUTHOR_NAME: 'n',
      GIT_AUTHOR_EMAIL: 'n@example.com',
      GIT_COMMITTER_NAME: 'n',
      GIT_COMMITTER_EMAIL: 'n@example.com',
    };
    const git = async (...args: readonly string[]): Promise<unknown> =>
      await mustRun('git', args, { cwd: project, env });
    await git('init', '-q', '-b', 'main', '.');
    await git('remote', 'add', 'origin', 'https://gitlab.example.com/acme/shop.git');
    await git('add', '-A');
    await git('commit', '-q', '-m', 'x');
    const local = join(peers ?? '', '.bin', 'gitlab-ci-local');
    for (const [name, code] of [
      ['held', 1],
      ['told', 0],
    ] as const) {
      const ran = await runCommand(local, ['--force-shell-executor', '--no-color', name], {
        cwd: project,
        env,
      });
      assert.equal(ran.code, code, ran.stdout + ran.stderr);
      assert.match(
        ran.stdout + ran.stderr,
        /GET https:\/\/other\.example\.com\/: policy_denied, rule default-deny/,
      );
      assert.match(
        await readFile(join(project, 'upstreamproxy.md'), 'utf8'),
        /^### Refused: no rule allows it$/m,
      );
    }
    assert.deepEqual(await readdir(`${project}.tmp`), []);
  },
);
