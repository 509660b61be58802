import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import { postureOption, requestAccess } from '../../../src/cli/policy/explain-access.ts';
import { runShared } from '../../support/command-process.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

test('a request is explained in the form in which the gateway decides about it', () => {
  for (const [url, path, query] of [
    ['https://api.example.com/a/%7euser', '/a/~user', ''],
    ['https://api.example.com/a/../b?x=%zz#part', '/b', '?x=%25zz'],
    ['https://api.example.com/ü', '/%C3%BC', ''],
    ['wss://API.example.com.', '/', ''],
  ] as const) {
    const access = requestAccess('GET', url);
    assert.deepEqual([access.path, access.query, access.destination.host], [path, query, 'api.example.com']);
  }
  const fields = requestAccess('GET', 'https://a.example.com/', ['X-Tag: a: b', 'x-forwarded-host: other']);
  assert.deepEqual([...fields.headers], [['X-Tag', 'a: b']]);
});

test('what the gateway would refuse before it asks the policy is refused here, and not explained', () => {
  for (const [method, url, code] of [
    ['TRACE', 'https://api.example.com/', 'method_refused'],
    ['GET', 'https://api.example.com\\x/', 'request_malformed'],
    ['GET', 'https://api.example.com/%5c', 'request_malformed'],
    ['GET', 'https://user:pass@api.example.com/', 'authority_malformed'],
    ['GET', 'https://0x7f.1/', 'authority_malformed'],
    ['GET', 'api.example.com/', 'usage'],
  ] as const)
    assert.throws(() => requestAccess(method, url), { code }, url);
  assert.throws(() => requestAccess('GET', 'https://a.example.com/', ['no field']), { code: 'usage' });
});

test('facts of the posture are those that a policy can ask for', () => {
  assert.deepEqual(postureOption('jailed, exec-only'), ['jailed', 'exec-only']);
  assert.deepEqual(postureOption(undefined), []);
  assert.throws(() => postureOption('jaild'), { code: 'usage', message: /files-hidden,\S*, not "jaild"/ });
});

test('the command explains connections, and requests of a session with facts and fields', async () => {
  await withTemporaryDirectory(async (directory) => {
    const file = join(directory, 'policy.yaml');
    await writeFile(
      file,
      `rules:
  - { name: raw, hosts: db.example.com, scheme: tcp, ports: 5432 }
  - { name: read, hosts: api.example.com, require: jailed, when: '"x-tag" in request.headers' }`,
    );
    const explain = (...args: readonly string[]) =>
      runShared(['policy', 'explain', ...args, '--policy', file]);
    const raw = await explain('CONNECT', 'db.example.com:5432');
    assert.match(raw.stdout, /^ALLOW db\.example\.com:5432\n[^]*connection: raw/);
    const request = ['GET', 'https://api.example.com/', '--header', 'X-Tag: 1'];
    assert.equal((await explain(...request)).code, 77);
    const allowed = await explain(...request, '--posture', 'jailed');
    assert.deepEqual([allowed.code, allowed.stdout.slice(0, 5)], [0, 'ALLOW']);
  });
});

test('the command explains whether a commit or a tag would be signed, by the policy of the examples', async () => {
  await withTemporaryDirectory(async (directory) => {
    const policy = fileURLToPath(new URL('../../../examples/policy-signing.yaml', import.meta.url));
    const explain = async (object: string, ...args: readonly string[]) => {
      await writeFile(join(directory, 'object'), object);
      return await runShared([
        'policy',
        'explain',
        'sign',
        join(directory, 'object'),
        '--policy',
        policy,
        ...args,
      ]);
    };
    const who = 'Build Agent <agent@example.com> 1700000000 +0000';
    const commit = `tree ${'ab'.repeat(20)}\nauthor ${who}\ncommitter ${who}\n\nA change.\n`;
    const signed = await explain(commit);
    assert.equal(signed.code, 0, signed.stderr);
    assert.match(
      signed.stdout,
      /^ALLOW a signature for a commit of Build Agent[^]*decided by: signed-commits[^]*would inject: commit-key/,
    );
    const other = await explain(commit.replaceAll('agent@', 'ada@'), '--json');
    assert.equal(other.code, 77);
    assert.equal(JSON.parse(other.stdout).decision.effect, 'deny');
    const tag = `object ${'ab'.repeat(20)}\ntype commit\ntag v1\ntagger ${who}\n\nA release.\n`;
    assert.match(
      (await explain(tag)).stdout,
      /signs something else, or with another key \(tag; committer[^]*tags preview-\*\)/,
    );
    const forged = await explain(commit.replace('\n\n', '\ngpgsig x\n\n'));
    assert.deepEqual([forged.code, forged.stdout], [65, '']);
    assert.match(forged.stderr, /it has the header gpgsig/);
  });
});

test('what was copied from a cut path is not explained', () => {
  assert.throws(() => requestAccess('GET', 'https://api.example.com/a[cut: 5000 bytes in all]'), {
    code: 'usage',
    message: /can't be told/,
  });
});
