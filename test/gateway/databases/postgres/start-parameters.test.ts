import assert from 'node:assert/strict';
import { test } from 'node:test';

import { serverStart } from '../../../../src/gateway/databases/postgres/start-parameters.ts';

const end = { databases: ['orders', 'reports'], parameters: {} } as const;

function start(parameters: Readonly<Record<string, string>>, given: Parameters<typeof serverStart>[1] = end) {
  return serverStart(
    { kind: 'start-up', minor: 0, parameters: new Map(Object.entries({ user: 'root', ...parameters })) },
    given,
  );
}

test('a client gets the databases of its rule, and the first one if it asks for none', () => {
  for (const [asked, given] of [
    [undefined, 'orders'],
    ['', 'orders'],
    // What libpq asks for when it was told nothing: a database of the user's name.
    ['root', 'orders'],
    ['orders', 'orders'],
    ['reports', 'reports'],
    ['Orders', '3D000'],
    ['postgres', '3D000'],
    ['orders,reports', '3D000'],
  ] as const) {
    const said = start(asked === undefined ? {} : { database: asked });
    assert.equal(said.kind === 'start' ? said.database : said.sqlState, given, asked ?? 'none');
  }
});

test('settings that clients begin with go on, in whichever form they come', () => {
  const said = start({
    DateStyle: 'ISO',
    options: String.raw`-c statement_timeout=5s -cgeqo=off --lock-timeout=1s -c search_path=a\ b  -c application_name=x\\y`,
  });
  assert.ok(said.kind === 'start');
  assert.deepEqual(Object.fromEntries(said.settings), {
    datestyle: 'ISO',
    statement_timeout: '5s',
    geqo: 'off',
    lock_timeout: '1s',
    search_path: 'a b',
    application_name: String.raw`x\y`,
  });
});

test('what would be another session than the rule says does not go on', () => {
  for (const [parameters, sqlState] of [
    [{ replication: 'database' }, '0A000'],
    [{ replication: 'true' }, '0A000'],
    [{ role: 'postgres' }, '42501'],
    [{ session_authorization: 'postgres' }, '42501'],
    [{ ROLE: 'postgres' }, '42501'],
    [{ options: '-c role=postgres' }, '42501'],
    [{ options: '--session-authorization=postgres' }, '42501'],
    [{ options: '-crole=postgres' }, '42501'],
    [{ options: String.raw`-c ro\le=postgres` }, '42501'],
    [{ options: '-c session_preload_libraries=x' }, '42501'],
    [{ local_preload_libraries: 'x' }, '42501'],
    [{ options: '-F' }, '08P01'],
    [{ options: '-c' }, '08P01'],
    [{ options: '-c role' }, '08P01'],
    [{ options: '-c =x' }, '08P01'],
    [{ options: 'role=postgres' }, '08P01'],
  ] as const) {
    const said = start(parameters);
    assert.equal(said.kind === 'refused' ? said.sqlState : said.kind, sqlState, JSON.stringify(parameters));
  }
  assert.equal(start({ replication: 'off' }).kind, 'start');
});

test('settings of the rule stand, whatever the client asks for', () => {
  const said = start(
    { options: '-c search_path=mine', Search_Path: 'mine', TimeZone: 'UTC' },
    { databases: ['orders'], parameters: { search_path: 'theirs', role: 'reader' } },
  );
  assert.ok(said.kind === 'start');
  assert.deepEqual(Object.fromEntries(said.settings), {
    search_path: 'theirs',
    timezone: 'UTC',
    role: 'reader',
  });
});

test('options of the protocol are told apart from settings, and never sent on', () => {
  const said = start({ '_pq_.compression': 'on' });
  assert.ok(said.kind === 'start');
  assert.deepEqual([said.unknownOptions, said.settings.size], [['_pq_.compression'], 0]);
});

test('a session whose statements are judged begins with settings by which the server reads them as they are judged', () => {
  const statements = { allowed: ['select'], isReadOnly: true } as const;
  const parameters = { client_encoding: 'SJIS', default_transaction_read_only: 'off' };
  const said = start({ client_encoding: 'LATIN1' }, { ...end, parameters, statements });
  assert.ok(said.kind === 'start');
  assert.deepEqual(Object.fromEntries(said.settings), {
    client_encoding: 'UTF8',
    standard_conforming_strings: 'on',
    default_transaction_read_only: 'on',
  });
  for (const asked of ['off', 'false', '0']) {
    const plain = start({ standard_conforming_strings: asked }, { ...end, statements });
    const inOptions = start({ options: `-c Standard_Conforming_Strings=${asked}` }, { ...end, statements });
    for (const refused of [plain, inOptions])
      assert.equal(refused.kind === 'refused' ? refused.sqlState : 'it begins', '42501', asked);
  }
  // What is only recorded changes nothing.
  const recorded = { allowed: undefined, isReadOnly: false } as const;
  const free = start({ standard_conforming_strings: 'off' }, { ...end, statements: recorded });
  assert.ok(free.kind === 'start' && free.settings.get('standard_conforming_strings') === 'off');
});
