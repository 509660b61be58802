// `gateway --check` and `policy check --config`: what an operator learns before anything starts.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { runCommand } from '../../support/command.ts';
import { launcher } from '../../support/program.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

test('warnings of the policy are printed by both checks, and fail where that is asked for', async () => {
  await withTemporaryDirectory(async (directory) => {
    const config = join(directory, 'gateway.yaml');
    await writeFile(config, 'policy: policy.yaml\nissuers: [{ issuer: "https://issuer.example.com" }]\n');
    await writeFile(join(directory, 'policy.yaml'), 'rules: [{ name: a, hosts: a.example.com }]\n');
    const warning = /policy\.yaml:1:9: warning: there is no "for", .*issuer\.example\.com for the gateway/;
    const gateway = await runCommand(launcher, ['gateway', '--config', config, '--check']);
    assert.equal(gateway.code, 0, gateway.stderr);
    assert.match(gateway.stdout, warning);
    assert.match(gateway.stdout, /gateway\.yaml is good\n$/);
    const json = await runCommand(launcher, ['gateway', '--config', config, '--check', '--json']);
    const { problems, ...rest } = JSON.parse(json.stdout) as { problems: Record<string, unknown>[] };
    assert.deepEqual([json.code, rest], [0, { file: config, ok: true }]);
    assert.deepEqual([problems.length, problems[0]?.['line'], problems[0]?.['severity']], [1, 1, 'warning']);
    const check = ['policy', 'check', '--config', config];
    const policy = await runCommand(launcher, check);
    assert.equal(policy.code, 0, policy.stderr);
    assert.match(policy.stdout, warning);
    assert.equal((await runCommand(launcher, [...check, '--fail-on-warning'])).code, 1);
    await writeFile(
      join(directory, 'policy.yaml'),
      `rules: [{ name: a, hosts: a.example.com, expires: '2020-01-31T12:00:00Z' }]\n`,
    );
    const expired =
      /policy\.yaml:1: warning: the rule a expired at 2020-01-31T12:00:00\.000Z and does nothing/;
    assert.match((await runCommand(launcher, check)).stdout, expired);
    await writeFile(config, 'policy: policy.yaml\n');
    await writeFile(join(directory, 'policy.yaml'), 'rules: [{ name: a, hosts: a.example.com }]\n');
    const bounded = 'issuers: [{ issuer: "https://issuer.example.com", for: { team: a } }]';
    await writeFile(config, `policy: policy.yaml\n${bounded}\n`);
    const quiet = await runCommand(launcher, [...check, '--fail-on-warning']);
    assert.deepEqual([quiet.code, quiet.stdout.split('\n').length], [0, 2]);
  });
});

test('a store that forgets used tokens while the signing key lasts is warned of', async () => {
  await withTemporaryDirectory(async (directory) => {
    const config = join(directory, 'gateway.yaml');
    const check = () => runCommand(launcher, ['gateway', '--config', config, '--check']);
    await writeFile(join(directory, 'policy.yaml'), 'rules: [{ name: a, hosts: a.example.com }]\n');
    await writeFile(config, 'policy: policy.yaml\nstore: "sqlite::memory:"\n');
    assert.match((await check()).stdout, /^warning: store: sqlite::memory: forgets at each start/);
    await writeFile(config, 'policy: policy.yaml\nstore: "sqlite:state.db"\n');
    assert.doesNotMatch((await check()).stdout, /warning/);
  });
});

test('a certificate without its key is found by the check, by the names of the files', async () => {
  await withTemporaryDirectory(async (directory) => {
    const file = (name: string): string => join(directory, name);
    const authority = createTestAuthority();
    const check = () => runCommand(launcher, ['gateway', '--config', file('gateway.yaml'), '--check']);
    await writeFile(file('gateway.yaml'), 'tls: { certificate: tls.crt, key: tls.key }\n');
    await writeFile(file('tls.crt'), authority.issue('gateway.example.com').cert);
    await writeFile(file('tls.key'), createTestAuthority().issue('gateway.example.com').key);
    const mixed = await check();
    assert.equal(mixed.code, 78);
    const args = ['gateway', '--config', file('gateway.yaml'), '--check', '--json'];
    const json = await runCommand(launcher, args);
    const { ok, problems } = JSON.parse(json.stdout) as { ok: boolean; problems: { message: string }[] };
    assert.deepEqual([json.code, json.stderr, ok], [78, '', false]);
    assert.match(problems[0]?.message ?? '', /no certificate and its key/);
    assert.match(
      mixed.stderr,
      /tls: .*tls\.crt and .*tls\.key are no certificate and its key: .*\[config_invalid\]/,
    );
    const { cert, key } = authority.issue('gateway.example.com');
    await writeFile(file('tls.crt'), cert);
    await writeFile(file('tls.key'), key);
    assert.equal((await check()).code, 0);
  });
});
