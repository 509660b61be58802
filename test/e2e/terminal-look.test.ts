// What the program shows at a terminal beside its text, and that none of it reaches a file.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { runCommand } from '../support/command.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { play } from '../support/terminal.ts';
import { skipWithout } from '../support/tools.ts';

const escape = '\u001b';
const plain =
  'upstreamproxy: there is no command "sesion"; did you mean session?; see: upstreamproxy help [usage]';
const wrong = [launcher, 'sesion'];
const docs = { UPSTREAMPROXY_DOCS: 'https://docs.test/', FORCE_HYPERLINK: '1' };

describe('at a terminal', { skip: skipWithout('python3', 'sh') }, () => {
  test('an error has colours, its code a link to its section, and the text is the same', async () => {
    const { output, code } = await play(wrong, [], docs);
    assert.equal(code, 64);
    assert.ok(output.startsWith(`${escape}[31mupstreamproxy:${escape}[39m `), output);
    assert.ok(
      output.includes(`${escape}]8;;https://docs.test/reference/errors.html#usage${escape}\\`),
      output,
    );
    assert.equal(stripVTControlCharacters(output).trim(), plain);
  });

  test('NO_COLOR and a terminal that knows nothing get the text alone', async () => {
    for (const environment of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      const { output } = await play(wrong, [], { ...docs, ...environment });
      assert.equal(output.trim(), plain);
    }
  });

  test('each stream is looked at by itself: of two, one can be a file', async () => {
    await using directory = await temporaryDirectory();
    const policy = join(directory.path, 'policy.yaml');
    await writeFile(policy, 'rules: [{ name: a, hosts: a.example.com }]\n');
    const said = join(directory.path, 'said');
    const good = `"$0" policy check "$1"`;
    const atTerminal = await play(['sh', '-c', good, launcher, policy], []);
    assert.ok(atTerminal.output.startsWith(`${escape}[32mgood:${escape}[39m 1 rule`), atTerminal.output);
    const script = `${good} > "$2"; cat "$2"; "$0" policy check "$1.none"`;
    const { output } = await play(['sh', '-c', script, launcher, policy, said], []);
    assert.ok(output.startsWith('good: 1 rule'), output);
    assert.ok(output.includes(`${escape}[31mupstreamproxy:`), output);
  });
});

describe('at a terminal, while something takes long', { skip: skipWithout('python3', 'sh') }, () => {
  /** The stand-in of npm responds when somebody types; the shell around it has the terminal's input. */
  const script = `
mkdir "$HOME/tools"
printf '#!/bin/sh\nwhile [ ! -e "%s" ]; do sleep 0.05; done\nexit 1\n' "$HOME/typed" > "$HOME/tools/npm"
chmod +x "$HOME/tools/npm"
PATH="$HOME/tools:$PATH" "$0" upgrade --check $1 & own=$!
echo 'IT RUNS'
read line
: > "$HOME/typed"
wait $own`;
  const told = 'npm finds no release: it ends with a fault';

  test('a line says so, and is gone before the next one', async () => {
    const { output } = await play(
      ['sh', '-c', script, launcher, ''],
      [{ wait: 'asks npm' }, { type: '\r' }, { wait: told }],
    );
    const [before = '', after = ''] = output.slice(output.lastIndexOf('asks npm')).split(told);
    assert.ok(before.includes(`\r${escape}[K`), JSON.stringify(output));
    assert.ok(!after.includes('asks npm'), JSON.stringify(output));
  });

  test('Ctrl-C takes it away, and ends the command as it would without', async () => {
    const module = new URL('../../src/cli/terminal/progress.ts', import.meta.url).href;
    const endless = `const { withProgress } = await import('${module}');
setInterval(() => {}, 1000);
await withProgress({ quiet: false }, () => 'it works', () => new Promise(() => {}));`;
    const { output, code } = await play(
      [process.execPath, '--input-type=module', '--disable-warning=ExperimentalWarning', '-e', endless],
      [{ wait: 'it works' }, { type: '\u0003' }],
    );
    assert.equal(code, -constants.signals.SIGINT);
    assert.ok(output.endsWith(`\r${escape}[K`), JSON.stringify(output));
  });

  test('--quiet has none', async () => {
    const { output } = await play(
      ['sh', '-c', script, launcher, '--quiet'],
      [{ wait: 'IT RUNS' }, { type: '\r' }, { wait: told }],
    );
    assert.ok(!output.includes('asks'), JSON.stringify(output));
    assert.ok(!output.includes(`${escape}[K`), JSON.stringify(output));
  });
});

test('--verbose says what is asked, how long it took, and of an error its cause and what to do', async () => {
  // Nothing listens at this port of loopback.
  const ask = ['upgrade', '--check', '--url', 'https://127.0.0.1:1/'];
  const { code, stderr } = await runCommand(launcher, [...ask, '--verbose']);
  const [asked, error, cause, advice, time, end] = stderr.split('\n');
  assert.equal(code, 69);
  assert.equal(asked, 'upstreamproxy: asks https://127.0.0.1:1/');
  assert.match(error ?? '', /nothing listens there \[release_unreachable\]$/);
  assert.equal(cause, 'upstreamproxy: it was caused by ECONNREFUSED connect 127.0.0.1:1');
  assert.match(advice ?? '', /^upstreamproxy: what to do: Check the address /);
  assert.match(time ?? '', /^upstreamproxy: it took \d+\.\d\d s$/);
  assert.equal(end, '');
  const without = await runCommand(launcher, ask);
  assert.equal(without.stderr, `${error}\n`);
  assert.equal(without.code, code);
  await using directory = await temporaryDirectory();
  const config = join(directory.path, 'gateway.yaml');
  await writeFile(config, `stateDirectory: ${directory.path}\n`);
  const made = await runCommand(launcher, ['identity', 'make', '--config', config, '--verbose']);
  assert.match(made.stderr, /^upstreamproxy: asks the store sqlite:\/.*\/state\.db\n/);
  assert.equal(made.code, 0, made.stderr);
});

test('--quiet leaves out what was done, and keeps what was asked for and what went wrong', async () => {
  await using directory = await temporaryDirectory();
  const init = (...more: readonly string[]) =>
    runCommand(launcher, ['init', directory.path, '--yes', ...more]);
  const quiet = await init('--quiet');
  assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, '', '']);
  const again = await init('--quiet');
  assert.notEqual(again.code, 0);
  assert.match(again.stderr, /^upstreamproxy: .*policy\.yaml/);
  const version = await runCommand(launcher, ['policy', 'check', join(directory.path, 'policy.yaml'), '-q']);
  assert.match(version.stdout, /good: /);
});

test('a file gets colours where they are asked for by name, and no link', async () => {
  const [file = '', ...args] = wrong;
  const env = { ...process.env, ...docs, CLICOLOR_FORCE: '1' };
  const { stderr } = await runCommand(file, args, { env });
  assert.ok(stderr.startsWith(`${escape}[31mupstreamproxy:`), stderr);
  assert.equal(stripVTControlCharacters(stderr).trim(), plain);
  assert.ok(!stderr.includes(`${escape}]8`), stderr);
  assert.equal((await runCommand(file, args)).stderr.trim(), plain);
});

test('a table has its titles and what was refused in colours, and columns as without', async () => {
  const { exchangeTable } = await import('../../src/cli/operator/exchange-table.ts');
  const event = {
    v: 1,
    id: 'a',
    time: '2030-01-01T10:00:00.000Z',
    kind: 'exchange',
    traceId: 'a'.repeat(32),
    verdict: 'deny',
    errorCode: 'policy_denied',
    method: 'GET',
    scheme: 'https',
    host: `a${escape}[2J.test`,
  } as const;
  const other = { ...event, verdict: 'allow', errorCode: undefined, status: 200 } as const;
  const without = exchangeTable([event, other], { title: true });
  process.env['CLICOLOR_FORCE'] = '1';
  try {
    const text = exchangeTable([event, other], { title: true });
    assert.equal(stripVTControlCharacters(text), without);
    assert.ok(text.startsWith(`${escape}[1mtime${escape}[22m `), text);
    assert.ok(text.includes(`  ${escape}[31mdeny${escape}[39m `), text);
    assert.ok(!text.includes(`${escape}[2J`), text);
    assert.equal(text.split(escape).length, 1 + 2 * 10, text);
  } finally {
    delete process.env['CLICOLOR_FORCE'];
  }
});
