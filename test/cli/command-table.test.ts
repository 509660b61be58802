import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { commands } from '../../src/cli/command-table.ts';
import { definitions } from '../../src/cli/commands/definitions.ts';
import { mustRun, runCommand } from '../support/command.ts';
import { launcher } from '../support/program.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';
import { endedLines } from './commands/accepted.ts';

const table = fileURLToPath(new URL('../../src/cli/command-table.ts', import.meta.url));

test('every definition has its command, and every command its definition', async () => {
  assert.deepEqual([...commands.keys()].sort(), definitions.map(({ name }) => name).sort());
  for (const definition of definitions) {
    const command = await commands.get(definition.name)?.();
    assert.equal(command?.definition, definition, definition.name);
  }
});

const compileCache = new URL('../support/compile-cache.mjs', import.meta.url).href;

/** In one process, for each would load a gateway: gives the exit codes on descriptor 3. */
const script = `
  const { commands } = await import(${JSON.stringify(table)});
  const { asProxyError } = await import(${JSON.stringify(new URL('../protocol/error.ts', `file://${table}`).pathname)});
  const codes = [];
  for (const line of JSON.parse(process.env.LINES)) {
    const [name, ...args] = line.split(' ');
    const code = await (await commands.get(name)()).run(args).catch((error) => asProxyError(error).exitCode);
    codes.push([code, line]);
  }
  process.stdout.write('\\n' + JSON.stringify(codes));
  process.exit(0);`;

test('command lines end as they did before commands had definitions', async () => {
  await withTemporaryDirectory(async (directory) => {
    const printed = await mustRun(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        `--import=${compileCache}`,
        '--input-type=module',
        '-e',
        script,
      ],
      {
        env: {
          PATH: process.env['PATH'],
          HOME: directory,
          TEST_RUN_FOLDER: process.env['TEST_RUN_FOLDER'],
          LINES: JSON.stringify(endedLines.map(([, line]) => line)),
        },
      },
    );
    assert.deepEqual(JSON.parse(printed.slice(printed.lastIndexOf('\n'))), endedLines);
  });
});

/** Files that are loaded with one, without those that are loaded when they are used. */
function loadedWith(file: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file) || !existsSync(file)) return seen;
  seen.add(file);
  const imports = readFileSync(file, 'utf8').matchAll(
    /^(?:import|export) (?!type\b)[^;]*?from '(\.[^']+)'/gm,
  );
  for (const [, target = ''] of imports) loadedWith(join(file, '..', target), seen);
  return seen;
}

test('a command loads its own definition alone, and the helper of the jail not even a parser', () => {
  const source = fileURLToPath(new URL('../../src/cli/', import.meta.url));
  const start = loadedWith(join(source, 'main.ts'));
  const unwanted = [
    'commands/definitions.ts',
    'definition/render-help.ts',
    'definition/render-reference.ts',
    'commands/policy-definition.ts',
  ];
  for (const file of ['main.ts', 'run/run.ts', 'agent/agent.ts', 'run/jail-helper.ts'])
    for (const name of unwanted)
      assert.ok(!loadedWith(join(source, file)).has(join(source, name)), `${file} loads ${name}`);
  for (const loaded of [start, loadedWith(join(source, 'run/jail-helper.ts'))])
    assert.ok(!loaded.has(join(source, 'definition/parse-arguments.ts')));
  assert.ok(loadedWith(join(source, 'run/run.ts')).has(join(source, 'definition/parse-arguments.ts')));
});

test('a mistyped command, action or option gets the name that was meant, in one line and with exit code 64', async () => {
  for (const [line, message] of [
    [
      'polcy check',
      /^upstreamproxy: there is no command "polcy"; did you mean policy\?; see: upstreamproxy help \[usage\]\n$/,
    ],
    ['session lsit', /^upstreamproxy: there is no command "session lsit"; did you mean session list\?; /],
    [
      'run --polcy x -- true',
      /^upstreamproxy: upstreamproxy run has no option --polcy; did you mean --policy\?; /,
    ],
    ['embedded-gatewa', /^upstreamproxy: there is no command "embedded-gatewa"; see: /],
    ['help nonsense', /^upstreamproxy: there is no command "nonsense"; see: /],
    ['doctor crul', /^upstreamproxy: "crul" is not a client that it knows; did you mean curl\?; /],
  ] as const) {
    const { code, stdout, stderr } = await runCommand(launcher, line.split(' '));
    assert.deepEqual([code, stdout], [64, ''], line);
    assert.match(stderr, message);
    assert.equal(stderr.split('\n').length, 2);
  }
});

test('help is of the program, of a command and of an action, however it is asked for', async () => {
  const help = (line: string): Promise<string> => mustRun(launcher, line.split(' '));
  assert.match(
    await help('help'),
    /^upstreamproxy gives code [^]*^Usage: upstreamproxy COMMAND [^]*^ {2}run /m,
  );
  const list = await help('help session list');
  assert.match(list, /^upstreamproxy session list \[options\]\n\nLists living sessions/);
  assert.equal(await help('session list --help'), list);
  assert.equal(await help('session -h list'), list);
  assert.match(await help('help session'), /session revoke ID/);
  assert.equal(await help('run --help -- x'), await help('help run'));
  assert.equal(
    await help('help jail-helper'),
    'upstreamproxy jail-helper is for "upstreamproxy run"; use that\n',
  );
});

test('what lists something lists it as JSON too', async () => {
  await withTemporaryDirectory(async (directory) => {
    const env = { PATH: process.env['PATH'], HOME: directory, TMPDIR: directory };
    const listed = await mustRun(launcher, ['doctor', '--list', '--json'], { env });
    const clients = listed
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { client: string; commands: string[] });
    assert.deepEqual(
      clients.find(({ client }) => client === 'curl'),
      { client: 'curl', commands: ['curl'] },
    );
    assert.equal(
      await mustRun(launcher, ['cleanup', '--json'], { env }),
      '{"sessions":0,"folders":[],"kept":[]}\n',
    );
  });
});
