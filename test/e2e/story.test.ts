// The guide docs/guides/first-steps.md, command by command: real npm, git and curl, and origins on loopback.

import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { mustRun } from '../support/command.ts';
import { openGuideStage } from '../support/guide-stage.ts';
import { skipWithout } from '../support/tools.ts';

test(
  'the guide for first steps does what it shows: observe, learn, check, replay, enforce, ask, grant, revoke, end',
  { skip: skipWithout('npm', 'git', 'curl', 'bash'), timeout: 170_000 },
  async (context) => {
    await using stage = await openGuideStage();
    const { directory, git, api, files } = stage;
    const ends = await stage.run('docs/guides/first-steps.md');

    const cloned = await mustRun('git', ['-C', join(directory, 'project'), 'rev-parse', 'HEAD']);
    assert.equal(cloned.trim(), git.commit);
    const installed = join(directory, 'app/node_modules/greeting/index.js');
    assert.match(await readFile(installed, 'utf8'), /hello/);
    assert.deepEqual(
      [...new Set(api.requests.map(({ method, target }) => `${method} ${target}`))],
      ['GET /v1/items'],
      'the origin saw the granted request alone',
    );
    const { size } = await stat(join(directory, 'disk.img'));
    assert.ok(size > 0 && files.requests.length === 1, 'the download had begun');
    const endOf = (part: string): number =>
      [...ends].find(([command]) => command.includes(part))?.[1].endedMs ?? Number.NaN;
    const brokeOffMs = endOf('disk.img') - endOf('session revoke');
    // It has no end of its own.
    assert.ok(!Number.isNaN(brokeOffMs));
    context.diagnostic(`the download ended ${Math.round(brokeOffMs)} ms after the revocation`);
  },
);
