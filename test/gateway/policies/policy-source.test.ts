import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  policyLookIntervalMs,
  PolicySource,
  type PolicySourceOptions,
} from '../../../src/gateway/policies/policy-source.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import type { Policy } from '../../../src/policy/decision.ts';
import { formatProblem } from '../../../src/policy/problem.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { patienceMs } from '../../support/patience.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const allow = (host: string): string => `rules: [{ name: r-${host}, hosts: ${host} }]\n`;

/** Makes a policy too large for the thread that serves. */
const largeComment = `# ${'-'.repeat(defaultLimits.policyReadHereBytesMax)}\n`;

function allows(policy: Policy, host: string): boolean {
  const principal = { id: 'i', sessionId: 's', claims: {}, posture: [] };
  const destination = { scheme: 'https', host, port: 443 } as const;
  const access = {
    depth: 'request',
    destination,
    method: 'GET',
    path: '/',
    query: '',
    headers: new HeaderList(),
  } as const;
  return policy.decide(principal, access, 0).effect === 'allow';
}

async function withSource(
  run: (place: { file: string; directory: string; source: PolicySource }) => Promise<void>,
  options: PolicySourceOptions = {},
): Promise<void> {
  await withTemporaryDirectory(async (directory) => {
    const file = join(directory, 'policy.yaml');
    await writeFile(file, allow('a.example.com'));
    await using source = await PolicySource.open(file, { pollIntervalMs: 0, ...options });
    await run({ file, directory, source });
  });
}

test('a changed file is taken whole, and listeners hear of it once', async () => {
  await withSource(async ({ file, source }) => {
    const heard: string[] = [];
    source.onChange((policy) => heard.push(policy.version));
    const before = source.current;
    assert.deepEqual(await source.reload(), { kind: 'unchanged' });
    await writeFile(file, allow('b.example.com'));
    assert.equal(source.current, before);
    const outcome = await source.reload();
    assert.equal(outcome.kind, 'replaced');
    assert.deepEqual(heard, [source.current.version]);
    assert.deepEqual(
      [allows(source.current, 'a.example.com'), allows(source.current, 'b.example.com')],
      [false, true],
    );
    assert.equal(allows(before, 'a.example.com'), true);
    assert.notEqual(before.version, source.current.version);
    assert.match(source.current.version, /^[0-9a-f]{12}$/);
  });
});

test('the version follows what the files say, not where they are or how they are called', async () => {
  await withSource(async ({ file, directory, source }) => {
    const { version } = source.current;
    const elsewhere = join(directory, 'learned.yml');
    await writeFile(elsewhere, allow('a.example.com'));
    await using other = await PolicySource.open(elsewhere, { pollIntervalMs: 0 });
    assert.equal(other.current.version, version);
    await rename(elsewhere, file);
    assert.deepEqual(await source.reload(), { kind: 'unchanged' });
  });
});

test('a broken file leaves the last good policy in force, with its age and the errors', async () => {
  let nowMs = 1000;
  const told: string[] = [];
  const options = {
    clock: () => nowMs,
    onProblems: (problems: readonly Parameters<typeof formatProblem>[0][]) =>
      told.push(...problems.map(formatProblem)),
  };
  await withSource(async ({ file, source }) => {
    nowMs = 2000;
    await writeFile(file, 'rules: [{ name: x, host: a.example.com }]');
    assert.equal((await source.reload()).kind, 'kept');
    assert.equal(allows(source.current, 'a.example.com'), true);
    nowMs = 3000;
    assert.equal((await source.reload()).kind, 'kept');
    assert.equal(told.filter((line) => line.includes('unknown key')).length, 1);
    const { loadedAtMs, failure } = source.state;
    assert.deepEqual([loadedAtMs, failure?.sinceMs], [1000, 2000]);
    assert.match(
      formatProblem(failure!.problems[0]!),
      /policy\.yaml:1:20: error: unknown key "host"; write "hosts"/,
    );
    await writeFile(file, allow('c.example.com'));
    assert.equal((await source.reload()).kind, 'replaced');
    assert.deepEqual([source.state.loadedAtMs, source.state.failure], [3000, undefined]);
  }, options);
});

test('going back to the policy in force ends the failure', async () => {
  await withSource(async ({ file, source }) => {
    await writeFile(file, 'x');
    assert.equal((await source.reload()).kind, 'kept');
    await writeFile(file, allow('a.example.com'));
    assert.deepEqual(await source.reload(), { kind: 'unchanged' });
    assert.equal(source.state.failure, undefined);
  });
});

test('a file that vanishes is a failure, not an empty policy', async () => {
  await withSource(async ({ file, source }) => {
    await rm(file);
    const outcome = await source.reload();
    assert.ok(outcome.kind === 'kept');
    assert.match(formatProblem(outcome.problems[0]!), /cannot be read: it does not exist/);
    assert.equal(allows(source.current, 'a.example.com'), true);
  });
});

test('there are four looks at the files in the five seconds in which a change takes effect', () => {
  assert.ok(4 * policyLookIntervalMs <= 5000);
});

test('changes are seen without being told, also of a file that is replaced by renaming', async () => {
  await withSource(
    async ({ file, directory, source }) => {
      const changed = Promise.withResolvers<void>();
      const deadline = setTimeout(() => changed.reject(new Error('no change was seen')), patienceMs);
      source.onChange(() => changed.resolve());
      await writeFile(join(directory, 'new'), allow('b.example.com'));
      await rename(join(directory, 'new'), file);
      await changed.promise;
      clearTimeout(deadline);
      assert.equal(allows(source.current, 'b.example.com'), true);
    },
    { pollIntervalMs: 5 },
  );
});

test('a folder is all of its YAML files by name, as links too', async () => {
  await withTemporaryDirectory(async (directory) => {
    const folder = join(directory, 'rules.d');
    await mkdir(folder);
    await writeFile(join(folder, '20-b.yml'), 'rules: [{ name: second, hosts: "*.example.com" }]');
    await writeFile(join(directory, 'target'), 'rules: [{ name: first, hosts: a.example.com }]');
    await symlink(join(directory, 'target'), join(folder, '10-a.yaml'));
    await writeFile(join(folder, '.hidden.yaml'), 'broken');
    await writeFile(join(folder, 'readme.txt'), 'broken');
    await using source = await PolicySource.open(folder, { pollIntervalMs: 0 });
    assert.deepEqual(source.state.files, [join(folder, '10-a.yaml'), join(folder, '20-b.yml')]);
    await writeFile(join(folder, '30-c.yaml'), allow('c.test.example.org'));
    assert.equal((await source.reload()).kind, 'replaced');
    assert.equal(allows(source.current, 'c.test.example.org'), true);
  });
});

test('what cannot be used at the start is refused with every problem', async () => {
  await withTemporaryDirectory(async (directory) => {
    const open = (name: string, options?: PolicySourceOptions) =>
      PolicySource.open(join(directory, name), options);
    await assert.rejects(open('none.yaml'), {
      code: 'config_invalid',
      message: /none\.yaml:1:1: error: .*it does not exist/,
    });
    await mkdir(join(directory, 'empty'));
    await assert.rejects(open('empty'), { code: 'config_invalid', message: /the folder has no \.yaml file/ });
    await writeFile(join(directory, 'two.yaml'), 'rules:\n  - { name: a }\n  - { name: b, hosts: "*" }\n');
    await assert.rejects(open('two.yaml'), {
      code: 'config_invalid',
      message: /two\.yaml:2:5: .*\n.*two\.yaml:3:23: /,
    });
    await writeFile(
      join(directory, 'inject.yaml'),
      'rules: [{ name: a, hosts: a.example.com, inject: gone }]',
    );
    await assert.rejects(open('inject.yaml', { credentials: ['here'] }), {
      message: /there is no credential "gone".*it has here/,
    });
  });
});

test('no file at all denies everything', async () => {
  await using source = await PolicySource.open([], { pollIntervalMs: 0 });
  assert.equal(allows(source.current, 'a.example.com'), false);
});

test('after close nothing is read and nobody is told', async () => {
  await withSource(async ({ file, source }) => {
    source.onChange(() => assert.fail('told after close'));
    await source.close();
    await source.close();
    await writeFile(file, allow('b.example.com'));
    assert.deepEqual(await source.reload(), { kind: 'unchanged' });
    assert.equal(allows(source.current, 'a.example.com'), true);
  });
});

test('others are served while thousands of rules are read, checked and taken', async () => {
  await using stack = new AsyncDisposableStack();
  const server = createServer((_request, response) => response.end('here'));
  stack.defer(() => void server.close());
  const { port } = await new Promise<AddressInfo>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server.address() as AddressInfo));
  });
  await withSource(async ({ file, source }) => {
    const rules = Array.from(
      { length: 5000 },
      (_, i) =>
        `  - { name: r${i}, hosts: api.example.com, methods: [GET, HEAD], paths: /v1/o${i}/*, when: request.port == 443 }\n`,
    );
    await writeFile(file, `rules:\n${rules.join('')}`);
    const reading = { isOver: false };
    const reloaded = source.reload().finally(() => {
      reading.isOver = true;
    });
    let responded = 0;
    // Read on the thread that serves, all of it would be one turn of the loop, and one exchange.
    while (!reading.isOver) {
      await (await fetch(`http://127.0.0.1:${port}/`)).text();
      responded += 1;
    }
    assert.equal((await reloaded).kind, 'replaced');
    assert.equal(source.state.version, source.current.version);
    assert.ok(responded > 20, `${responded} exchanges`);
  });
});

test('the version of a policy that is read while the gateway runs is the one that it would start with', async () => {
  await withSource(async ({ file, source }) => {
    await writeFile(file, `${allow('b.example.com')}${largeComment}`);
    await source.reload();
    await using other = await PolicySource.open(file, { pollIntervalMs: 0 });
    assert.equal(other.current.version, source.current.version);
  });
});

test('a small policy is read without a thread, a larger one by one', async () => {
  let threads = 0;
  const onWorker = (): void => void (threads += 1);
  process.on('worker', onWorker);
  try {
    await withSource(async ({ file, source }) => {
      await writeFile(file, allow('b.example.com'));
      assert.equal((await source.reload()).kind, 'replaced');
      assert.equal(threads, 0);
      await writeFile(file, `${allow('c.example.com')}${largeComment}`);
      assert.equal((await source.reload()).kind, 'replaced');
      assert.equal(threads, 1);
    });
  } finally {
    process.off('worker', onWorker);
  }
});

test('closing gives up a policy that is being read', async () => {
  await withSource(async ({ file, source }) => {
    await writeFile(file, `${allow('b.example.com')}${largeComment}`);
    const reloaded = source.reload();
    await source.close();
    assert.deepEqual(await reloaded, { kind: 'unchanged' });
    assert.equal(allows(source.current, 'a.example.com'), true);
  });
});
