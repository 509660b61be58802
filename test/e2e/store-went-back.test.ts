// A standby took over that had not got what came last: what gateways know is told to it again, and an alarm says so.

import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../support/command.ts';
import { runShared } from '../support/command-process.ts';
import { gatewayPair } from '../support/gateway-pair.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { launcher, waitUntil } from '../support/program.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;

test(
  'sessions, used tokens and a revocation that the database has lost are there again, before anybody is told that a session is unknown',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const pair = stack.use(await gatewayPair({ rules: [] }));
    const { set, database } = pair;
    const rows = async (sql: string) => (await database.run(sql, 'state')).rows;
    const lines = async (...args: string[]) => {
      const { code, stdout, stderr } = await runShared([...args, '--config', set.configFile]);
      assert.equal(code, 0, stderr);
      return stdout.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
    };
    const doomed = stack.use(await set.startAgent({ gatewayUrl: pair.balancerUrl }));
    const [{ id: revoked }] = (await lines('session', 'list', '--json')) as [{ readonly id: string }];
    await lines('session', 'revoke', revoked);
    await waitUntil('it ended', () => doomed.said().includes('session_revoked'));

    const token = await set.issueToken();
    const copy = join(set.directory, 'copied-token');
    await copyFile(token, copy);
    const begun = stack.use(await set.startAgent({ gatewayUrl: pair.balancerUrl }));
    const [{ id: lost }] = (await lines('session', 'list', '--json')) as [{ readonly id: string }];
    const used = await runCommand(launcher, [
      'run',
      ...set.agentOptions(token, pair.balancerUrl),
      '--',
      'true',
    ]);
    assert.equal(used.code, 0, used.stderr);

    // As a standby is that had not got any of it.
    await database.run(
      `DELETE FROM session WHERE id <> '${revoked}'; DELETE FROM consumed_token; DELETE FROM session_ending;
       UPDATE session SET state = 'committed', over_ms = NULL, reason = NULL;
       UPDATE change_counter SET value = 0`,
      'state',
    );
    await waitUntil('it is told', () => /alarm store_went_back/.test(set.gateway.log()));
    await waitUntil('it is revoked again', async () => {
      const [row] = await rows(`SELECT state FROM session WHERE id = '${revoked}'`);
      return row?.['state'] === 'revoked';
    });
    const [row] = await rows(`SELECT state FROM session WHERE id = '${lost}'`);
    assert.equal(row?.['state'], 'committed');
    const again = await runCommand(launcher, [
      'run',
      ...set.agentOptions(copy, pair.balancerUrl),
      '--',
      'echo',
      'stolen',
    ]);
    assert.match(again.stderr, /\[token_reused\]/);
    assert.ok(!/session_(?:unknown|revoked)/.test(begun.said()), begun.said());
    const alarms = (await set.audit()).filter(({ action }) => action === 'store_went_back');
    assert.ok(alarms.length > 0);
  },
);
