import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostDiscovery } from '../../../src/gateway/policies/discover-hosts.ts';
import { PolicySource } from '../../../src/gateway/policies/policy-source.ts';
import { runCommand } from '../../support/command.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const print = (text: string) => ({
  command: [process.execPath, '-e', `process.stdout.write(${JSON.stringify(text)})`],
});

test('hosts are taken from URLs, remotes and bare names, each once; anything else is left out', async () => {
  const text =
    'https://user:pass@B.example.com:8443/simple/\n# comment\ngit@code.example.com:acme/app.git\na.example.com\n/local/path\nhttp://[2001:DB8::1]/\nb.example.com\nfile:///x\n';
  const discover = hostDiscovery({ tool: print(text) });
  assert.deepEqual(await discover('tool'), [
    '2001:db8::1',
    'a.example.com',
    'b.example.com',
    'code.example.com',
  ]);
});

test('a tool that is unknown, fails, says nothing or too much is an error without what it printed', async () => {
  const discover = hostDiscovery({
    failing: {
      command: [process.execPath, '-e', 'console.log("https://secret.example.com"); process.exit(3)'],
    },
    empty: print('none\n'),
    endless: { command: [process.execPath, '-e', 'process.stdout.write("x.example.com\\n".repeat(30000))'] },
    many: print(Array.from({ length: 300 }, (_, i) => `h${i}.example.com\n`).join('')),
    absent: { command: ['/nonexistent/program'] },
  });
  for (const [tool, reason] of [
    ['unknown', /the tools are npm, pip, git/],
    ['constructor', /the tools are npm, pip, git/],
    ['failing', /^(?!.*secret).*ended with 3/],
    ['empty', /names no host/],
    ['endless', /printed more than/],
    ['many', /more than 200 hosts/],
    ['absent', /cannot be started/],
  ] as const) {
    await assert.rejects(discover(tool), (error: Error) => reason.test(error.message), tool);
  }
});

test('what asks pip takes no code from the folder in which the gateway was started', async (t) => {
  const python = await runCommand('python3', ['--version']).catch(() => undefined);
  if (python?.code !== 0) {
    t.skip('there is no python3');
    return;
  }
  await withTemporaryDirectory(async (directory) => {
    await mkdir(join(directory, 'pip'));
    const code = 'print("global.index-url=https://planted.example.com/")\n';
    for (const name of ['__init__.py', '__main__.py']) await writeFile(join(directory, 'pip', name), code);
    const before = process.cwd();
    process.chdir(directory);
    t.after(() => process.chdir(before));
    // Without pip on the machine there is an error, which is no planted host either.
    const hosts = await hostDiscovery()('pip').catch((): readonly string[] => []);
    process.chdir(before);
    assert.equal(hosts.includes('planted.example.com'), false);
  });
});

test('npm and git say nothing of the folder in which the gateway was started', async (t) => {
  await withTemporaryDirectory(async (directory) => {
    const home = join(directory, 'home');
    const started = join(directory, 'started');
    await mkdir(join(started, '.git'), { recursive: true });
    await mkdir(home);
    const planted = 'https://planted.example.com/';
    await writeFile(join(started, 'package.json'), '{}');
    await writeFile(join(started, '.npmrc'), `registry=${planted}\n@acme:registry=${planted}\n`);
    await writeFile(join(started, '.git', 'HEAD'), 'ref: refs/heads/main\n');
    await mkdir(join(started, '.git', 'objects'));
    await mkdir(join(started, '.git', 'refs'));
    const repository = `[core]\n\trepositoryformatversion = 0\n[remote "origin"]\n\turl = ${planted}\n[include]\n\tpath = ../more\n`;
    await writeFile(join(started, '.git', 'config'), repository);
    await writeFile(join(started, 'more'), `[url "${planted}"]\n\tinsteadOf = https://code.example.com/\n`);
    await writeFile(join(home, '.npmrc'), '@own:registry=https://own.example.com/\n');
    await writeFile(
      join(home, '.gitconfig'),
      '[url "https://mirror.example.com/"]\n\tinsteadOf = https://code.example.com/\n[remote "backup"]\n\turl = git@backup.example.com:a/b\n',
    );
    // Where npm runs the tests, its own variables name the user's file.
    const names = Object.keys(process.env).filter((name) => name === 'HOME' || /^npm_config_/i.test(name));
    const before = { cwd: process.cwd(), variables: names.map((name) => [name, process.env[name]] as const) };
    const restore = (): void => {
      process.chdir(before.cwd);
      delete process.env['HOME'];
      for (const [name, value] of before.variables) process.env[name] = value;
    };
    t.after(restore);
    process.chdir(started);
    for (const name of names) delete process.env[name];
    process.env['HOME'] = home;
    const found = new Map<string, readonly string[]>();
    for (const tool of ['npm', 'git']) {
      const program = await runCommand(tool, ['--version']).catch(() => undefined);
      if (program?.code === 0) found.set(tool, await hostDiscovery()(tool));
      else t.diagnostic(`SKIP of ${tool}: it is not here`);
    }
    restore();
    for (const hosts of found.values()) assert.equal(hosts.includes('planted.example.com'), false);
    if (found.has('npm')) assert.ok(found.get('npm')?.includes('own.example.com'));
    if (found.has('git')) assert.deepEqual(found.get('git'), ['backup.example.com', 'mirror.example.com']);
  });
});

test('npm and git of this machine say what they are configured to use', async (t) => {
  const npm = await runCommand('npm', ['config', 'get', 'registry']).catch(() => undefined);
  if (npm?.code === 0) {
    assert.ok((await hostDiscovery()('npm')).includes(new URL(npm.stdout.trim()).hostname));
  } else t.diagnostic('SKIP of npm: it is not here');
});

test('a group with discover has the hosts of its file, and an explicit reload asks again', async () => {
  await withTemporaryDirectory(async (directory) => {
    const [policy, mirrors] = [join(directory, 'policy.yaml'), join(directory, 'mirrors.txt')];
    await writeFile(mirrors, 'https://one.example.com/x\n');
    await writeFile(
      policy,
      'groups: { mirrors: { hosts: zero.example.com, discover: mirrors } }\nrules: [{ name: m, include: mirrors }]\n',
    );
    const discover = hostDiscovery({ mirrors: { file: mirrors } });
    await using source = await PolicySource.open(policy, { discover, pollIntervalMs: 0 });
    const allows = (host: string): string =>
      source.current.decide(
        { id: 'i', sessionId: 's', claims: {}, posture: [] },
        { depth: 'connect', destination: { scheme: 'https', host, port: 443 } },
        0,
      ).effect;
    assert.deepEqual(
      ['zero', 'one', 'two'].map((name) => allows(`${name}.example.com`)),
      ['allow', 'allow', 'deny'],
    );
    assert.equal((await source.reload()).kind, 'unchanged');
    await writeFile(mirrors, 'two.example.com\n');
    assert.equal((await source.reload()).kind, 'replaced');
    assert.deepEqual(
      ['zero', 'one', 'two'].map((name) => allows(`${name}.example.com`)),
      ['allow', 'deny', 'allow'],
    );
    await writeFile(mirrors, '\n');
    const outcome = await source.reload();
    assert.ok(outcome.kind === 'kept');
    assert.match(outcome.problems[0]?.message ?? '', /from "mirrors": it names no host/);
    assert.equal(allows('two.example.com'), 'allow');
  });
});
