import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { mustRunShared, runShared } from '../../support/command-process.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

interface Scene {
  readonly directory: string;
  write(name: string, text: string): Promise<string>;
  run(...args: readonly string[]): Promise<string>;
  /** The exit code, and what it said. */
  fails(...args: readonly string[]): Promise<string>;
}

async function withScene(body: (scene: Scene) => Promise<void>, policy = 'store'): Promise<void> {
  await withTemporaryDirectory(async (directory) => {
    const config = join(directory, 'gateway.yaml');
    await writeFile(config, `stateDirectory: state\npolicy: ${policy}\n`);
    const line = (args: readonly string[]): readonly string[] => ['policy', ...args, '--config', config];
    await body({
      directory,
      write: async (name, text) => {
        await writeFile(join(directory, name), text);
        return join(directory, name);
      },
      run: (...args) => mustRunShared(line(args)),
      fails: async (...args) => {
        const { code, stderr } = await runShared(line(args));
        return `${code} ${stderr}`;
      },
    });
  });
}

const rule = (host: string): string => `rules: [{ name: r, hosts: ${host} }]\n`;

test('a policy is published with who and why, shown, compared, and an earlier one is published again', async () => {
  await withScene(async ({ directory, write, run, fails }) => {
    const file = await write('p.yaml', rule('a.example.com'));
    assert.match(
      await run('publish', file, '--note', 'first'),
      /^published main@1, version [0-9a-f]{12}\nno gateway serves now/,
    );
    await write('p.yaml', rule('b.example.com'));
    assert.match(
      await run('publish', file),
      /opened:\n +https:\/\/b\.example\.com\nclosed:\n +https:\/\/a\.example\.com\n[^]*published main@2/,
    );
    assert.equal(await run('show'), rule('b.example.com'));
    assert.equal(await run('show', '1'), rule('a.example.com'));
    assert.match(await run('diff', '@1', '@2'), /opened:\n +https:\/\/b\.example\.com/);
    assert.match(await run('diff', '@2', join(directory, 'p.yaml')), /^no difference in meaning/);
    assert.match(await run('rollback', '1'), /published main@3/);
    assert.equal(await run('show'), rule('a.example.com'));
    const table = await run('history');
    assert.match(table, /^main@3 .*uid \d+\) .* all +in force, 1 again /m);
    assert.match(table, /^main@1 .* first$/m);
    const [line = ''] = (await run('history', '--json', '--name', 'main')).split('\n');
    const shown = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual([shown['number'], shown['backTo'], shown['isPublished']], [3, 1, true]);
    assert.match(await fails('rollback', '9'), /^64 .*has no version 9 that is kept/);
    const events = await mustRunShared([
      'audit',
      'tail',
      '--json',
      '--config',
      join(directory, 'gateway.yaml'),
    ]);
    const acts = events
      .trim()
      .split('\n')
      .map((one) => JSON.parse(one) as { action: string; details: Record<string, unknown> });
    assert.deepEqual(
      acts.map(({ action, details }) => [action, details['number'], details['before']]),
      [
        ['policy_published', 1, 0],
        ['policy_published', 2, 1],
        ['policy_published', 3, 2],
      ],
    );
    assert.match(String(acts[0]?.details['operator']), /uid \d+/);
  });
});

test('what is wrong is said with its place and what to do, and nothing is published', async () => {
  await withScene(async ({ write, fails, run }) => {
    const bad = await write('p.yaml', 'rules:\n  - { name: x, hosts: a.example.com, inject: nosuch }\n');
    assert.match(
      await fails('publish', bad),
      /^78 .*p\.yaml:2:\d+: error: there is no credential "nosuch".*define it under/,
    );
    const discover = await write(
      'd.yaml',
      'groups: { npm: { discover: npm } }\nrules: [{ name: x, include: npm }]\n',
    );
    assert.match(await fails('publish', discover), /^78 .*cannot be discovered from "npm".*write the hosts/);
    const good = await write('g.yaml', rule('a.example.com'));
    assert.match(await fails('publish', good, '--name', 'Web'), /^64 .*short name of a-z/);
    assert.match(await fails('publish', good, '--name', 'web'), /^64 .*for whom is the policy web\? --for/);
    assert.match(await fails('publish', good, '--for', 'team=web'), /^64 .*main is for every session/);
    assert.match(await fails('publish', good, '--name', 'web', '--for', 'team'), /^64 .*CLAIM=VALUE/);
    assert.match(await fails('publish', good, '--seen', '4'), /^75 .*none is published; look at it/);
    assert.match(await fails('publish', `${good}.not`), /^78 .*cannot be read/);
    assert.match(await fails('publish'), /^64 .*which files\?/);
    assert.match(await fails('withdraw'), /^75 .*no policy main is published/);
    assert.match(await fails('show'), /^64 .*the store has no policy main/);
    assert.match(await fails('show', 'latest'), /^64 .*versions are numbers/);
    assert.match(await run('history'), /^version .*\n$/);
  });
});

test('five megabytes, aliases that multiply and a file of 2 MiB are refused before anything is stored', async () => {
  await withScene(async ({ write, fails, run }) => {
    const large = await write('l.yaml', `# ${'x'.repeat(5_000_000)}\n`);
    assert.match(await fails('publish', large), /^78 .*longer than 2097152 bytes \(policyBytesMax\)/);
    const parts: string[] = [];
    for (const name of ['a', 'b', 'c'])
      parts.push(await write(`${name}.yaml`, `# ${'x'.repeat(2_000_000)}\n${rule(`${name}.example.com`)}`));
    assert.match(await fails('publish', ...parts), /^78 .*policyPublishedBytesMax/);
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
    for (let i = 0; i < 9; i += 1) {
      const [from, to] = [String.fromCharCode(97 + i), String.fromCharCode(98 + i)];
      bomb.push(`${to}: &${to} [${Array.from({ length: 10 }, () => `*${from}`).join(', ')}]`);
    }
    const file = await write('bomb.yaml', `${bomb.join('\n')}\n`);
    assert.match(await fails('publish', file), /^78 .*bomb\.yaml:/);
    assert.match(await run('history'), /^version .*\n$/);
  });
});

test('words of a note act on no terminal', async () => {
  await withScene(async ({ write, run }) => {
    const file = await write('p.yaml', `# a \u202e b\n${rule('a.example.com')}`);
    await run('publish', file, '--note', 'x\u001b[2J\u202e\u0007y');
    const table = await run('history');
    assert.match(table, /x\\u\{1b\}\[2J\\u\{202e\}\\u\{7\}y$/m);
    assert.match(await run('history', '--json'), /^[\x20-\x7e]+\n$/);
  });
});

test('policies of teams are bound by claims, warned of where they go beyond the ceiling, and withdrawn', async () => {
  await withScene(async ({ write, run }) => {
    const ceiling = await write('ceiling.yaml', rule('a.example.com'));
    await run('publish', ceiling, '--name', 'ceiling');
    const file = await write('w.yaml', rule('b.example.com'));
    const said = await run('publish', file, '--name', 'web', '--for', 'team=web');
    assert.match(said, /^warning: https:\/\/b\.example\.com is allowed here and not by the ceiling/m);
    await run('publish', file, '--name', 'web');
    assert.match(await run('history', '--name', 'web'), /^web@2 .* team=web +in force /m);
    assert.match(await run('withdraw', '--name', 'web'), /withdrew web@3/);
    assert.match(await run('history'), /^web@3 .* in force, withdrawn /m);
  });
});

test('where gateways follow files, who publishes is told that they do not follow', async () => {
  await withScene(async ({ write, directory }) => {
    const file = await write('p.yaml', rule('a.example.com'));
    const { code, stderr } = await runShared([
      'policy',
      'publish',
      file,
      '--config',
      join(directory, 'gateway.yaml'),
    ]);
    assert.equal(code, 0);
    assert.match(stderr, /do not follow it; write policy: store there/);
  }, 'observe');
});
