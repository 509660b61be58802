import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { initDefinition } from '../../../src/cli/commands/init-definition.ts';
import { gatewayText, nextSteps } from '../../../src/cli/gateway/init-files.ts';
import { loadGatewayConfig } from '../../../src/gateway/config/config.ts';
import { mustRunShared, runShared } from '../../support/command-process.ts';
import { launcher } from '../../support/program.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const hasScript = spawnSync('script', ['--version']).status === 0;

test('what it writes is good, for each beginning of a policy that needs no other program', async () => {
  await withTemporaryDirectory(async (folder) => {
    for (const start of Object.keys(initDefinition.options.start.choices).filter(
      (one) => one !== 'npm' && one !== 'found',
    )) {
      const place = join(folder, start);
      await mustRunShared(['init', place, '--name', '192.0.2.7', '--start', start, '--yes']);
      const checked = await mustRunShared(['gateway', '--check', '--config', join(place, 'gateway.yaml')]);
      assert.match(checked, /is good\n$/, start);
      const config = await loadGatewayConfig(join(place, 'gateway.yaml'));
      assert.deepEqual(
        [config.publicNames, config.listen.address, config.listen.port],
        [['192.0.2.7'], '0.0.0.0', 8443],
      );
    }
  });
});

test('a file that is there is left as it is, and nothing is written beside it', async () => {
  await withTemporaryDirectory(async (folder) => {
    for (const name of ['gateway.yaml', 'policy.yaml']) {
      const place = join(folder, name);
      await mkdir(place);
      await writeFile(join(place, name), 'mine');
      const { code, stderr } = await runShared(['init', place, '--yes']);
      assert.equal(code, 78);
      assert.match(stderr, /is there already, and is left as it is/);
      assert.deepEqual(await readdir(place), [name]);
      assert.equal(await readFile(join(place, name), 'utf8'), 'mine');
    }
  });
});

test('a name that is none is refused, and nothing stays', async () => {
  await withTemporaryDirectory(async (folder) => {
    for (const name of [
      'two words',
      'a:8443',
      'https://gateway.example.com',
      '"]\nadmin: {}',
      '*.example.com',
    ]) {
      const { code, stderr } = await runShared(['init', folder, '--name', name, '--yes']);
      assert.equal(code, 64, `${name}: ${stderr}`);
      assert.match(
        stderr,
        /^upstreamproxy: "[^\n]* is not a name or address; give --name [^\n]* \[usage\]\n$/,
      );
      assert.deepEqual(await readdir(folder), []);
    }
  });
});

test('without a terminal it asks nothing and says which options there are', async () => {
  await withTemporaryDirectory(async (folder) => {
    const { code, stderr } = await runShared(['init', folder]);
    assert.equal(code, 64);
    assert.match(stderr, /--name, --port, --state-folder and --start, or --yes/);
    assert.deepEqual(await readdir(folder), []);
  });
});

/** Types lines at a terminal, each when the next question is there. */
async function typed(folder: string, lines: readonly string[]): Promise<{ code: number; shown: string }> {
  const child = spawn('script', ['-qec', `'${launcher}' init '${folder}'`, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  let asked = 0;
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    shown += chunk;
    const questions = shown.match(/\[[\w.-]+\] /g)?.length ?? 0;
    for (; asked < Math.min(questions, lines.length); asked += 1) child.stdin.write(lines[asked] ?? '');
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, shown };
}

test(
  'at a terminal it asks four questions, and again where it cannot use what was typed',
  { skip: hasScript ? false : 'no script here' },
  async () => {
    await withTemporaryDirectory(async (folder) => {
      const lines = ['gateway.example.com\n', '70000\n', '9443\n', '\n', 'what\n', 'nothing\n'];
      const { code, shown } = await typed(folder, lines);
      assert.equal(code, 0, shown);
      assert.match(shown, /a number from 1 to 65535/);
      assert.match(shown, /one of observe, npm, found, nothing/);
      const config = await loadGatewayConfig(join(folder, 'gateway.yaml'));
      assert.deepEqual([config.publicNames, config.listen.port], [['gateway.example.com'], 9443]);
      assert.match(await readFile(join(folder, 'policy.yaml'), 'utf8'), /\nrules: \[\]\n/);
    });
  },
);

test(
  'the end of the input ends it, and nothing is written',
  { skip: hasScript ? false : 'no script here' },
  async () => {
    await withTemporaryDirectory(async (folder) => {
      const { code, shown } = await typed(folder, ['\n', '\u0004']);
      assert.equal(code, 130, shown);
      assert.deepEqual(await readdir(folder), []);
    });
  },
);

test('what it prints can be pasted, whatever the folder is called', () => {
  const gateway = { name: '::1', port: 1, stateFolder: 'a b: "c"', start: 'nothing' } as const;
  const steps = nextSteps(gateway, "it's here");
  assert.match(steps, /--config 'it'\\''s here\/gateway\.yaml'\n/);
  assert.match(steps, / --gateway 'https:\/\/\[::1\]:1' /);
  assert.match(gatewayText(gateway), /\nstateDirectory: "a b: \\"c\\""\n/);
});
