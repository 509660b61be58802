// An operator away from the host, with a login of their own in the database: reads, and writes by acts that the gateway takes into its audit.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { mustRunShared, runShared } from '../support/command-process.ts';
import { deploy } from '../support/deployment.ts';
import { postgresBinaries, startPostgres } from '../support/postgres-server.ts';
import { waitUntil } from '../support/program.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;

test(
  'an operator with a login of their own lists, revokes and publishes; the audit says who it was, and other commands are refused',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const server = stack.use(await startPostgres());
    await server.run(`CREATE DATABASE state TEMPLATE template0 ENCODING 'UTF8'`);
    const roles = await readFile(new URL('../../deploy/postgres/roles.sql', import.meta.url), 'utf8');
    await server.run(roles, 'state');
    await server.run('CREATE ROLE ada LOGIN IN ROLE upstreamproxy_operator', 'state');
    const set = stack.use(
      await deploy({
        rules: [{ name: 'api', hosts: ['api.test'] }],
        config: { store: server.url('state', 'upstreamproxy'), policy: 'store' },
      }),
    );
    const agent = stack.use(await set.startAgent());
    assert.ok(agent.pid > 0);
    const config = join(set.directory, 'ada.yaml');
    await writeFile(
      config,
      stringify({
        publicNames: ['127.0.0.1'],
        stateDirectory: 'ada',
        policy: 'store',
        store: server.url('state', 'ada'),
      }),
    );
    const ada = (...args: string[]) => mustRunShared([...args, '--config', config]);
    const [session] = (await ada('session', 'list', '--json'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.equal(session.state, 'committed');
    assert.match(await ada('session', 'revoke', session.id, '--reason', 'it was stolen'), /^revoked /);
    const policy = join(set.directory, 'policy.yaml');
    assert.match(await ada('policy', 'publish', policy, '--note', 'the first'), /published main@1/);
    assert.match(await ada('policy', 'publish', policy), /published main@2/);
    assert.match(await ada('policy', 'rollback', '1'), /published main@3/);
    assert.match(await ada('policy', 'history'), /main@3 +\S+ +ada /);
    const acts = async () =>
      (await set.audit())
        .map(({ action, details }) => ({
          action,
          operator: (details as { operator?: string } | undefined)?.operator,
        }))
        .filter(({ operator }) => operator !== undefined);
    await waitUntil('the audit has all', async () => (await acts()).length === 4);
    assert.deepEqual((await acts()).map(({ action, operator }) => `${action} ${operator}`).sort(), [
      'policy_published ada',
      'policy_published ada',
      'policy_published ada',
      'revoked ada',
    ]);
    const refused = await runShared([
      'operator',
      'token',
      '--name',
      'x',
      '--role',
      'administrator',
      '--for',
      '1h',
      '--config',
      config,
    ]);
    assert.match(refused.stderr, /^[^\n]*permission denied for table[^\n]*\[store_unavailable\]\n$/);
  },
);
