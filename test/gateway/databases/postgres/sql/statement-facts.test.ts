import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import {
  StatementParser,
  type StatementReading,
} from '../../../../../src/gateway/databases/postgres/sql/parse-statement.ts';
import { isPlain, judge } from '../../../../../src/gateway/databases/postgres/sql/statement-judge.ts';
import { parserCode } from '../../../../../src/gateway/databases/postgres/sql/statement-reader.ts';

let parser: StatementParser;

before(async () => {
  parser = new StatementParser(await parserCode());
});

const read = (text: string): Promise<StatementReading> => parser.parse(Buffer.from(text));

test('a statement has the kinds of all that stand in it', async () => {
  for (const [text, kinds, marks = ''] of [
    ['SELECT 1', 'select'],
    ['TABLE t', 'select'],
    ['VALUES (1)', 'select'],
    ['SHOW a; VALUES (f())', 'select show'],
    ['PREPARE p AS VALUES (f())', 'prepare select'],
    ['EXPLAIN ANALYZE VALUES (f())', 'explain select'],
    ['DECLARE c CURSOR FOR VALUES (f())', 'cursor select'],
    ['COPY (VALUES (f())) TO STDOUT', 'copy-out select'],
    ['VALUES (1) UNION VALUES (2)', 'select'],
    ['INSERT INTO t VALUES ((VALUES (1)))', 'insert select'],
    ['INSERT INTO t WITH a AS (VALUES (1)) VALUES (2)', 'insert select'],
    ['INSERT INTO t VALUES (1), (2)', 'insert'],
    ['INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = (VALUES (2))', 'insert select update'],
    ['INSERT INTO t DEFAULT VALUES', 'insert'],
    ['-- nothing', ''],
    ['INSERT INTO t VALUES (1)', 'insert'],
    ['INSERT INTO t SELECT * FROM s', 'insert select'],
    ['INSERT INTO t VALUES ((SELECT 1))', 'insert select'],
    ['INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2', 'insert update'],
    ['INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING', 'insert'],
    ['WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a', 'delete select'],
    ['SELECT * INTO s FROM t UNION SELECT 1', 'create select'],
    ['SELECT 1 FROM t FOR SHARE', 'lock select'],
    ['MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE', 'merge'],
    ['COPY t FROM STDIN', 'copy-in'],
    ['COPY t TO STDOUT', 'copy-out'],
    ["COPY t TO '/tmp/t'", 'copy-file copy-out'],
    ["COPY (DELETE FROM t RETURNING 1) TO PROGRAM 'cat'", 'copy-file copy-out delete'],
    ['EXPLAIN ANALYZE UPDATE t SET a = 1', 'explain update'],
    ['PREPARE p AS TRUNCATE t', undefined],
    ['PREPARE p AS DELETE FROM t', 'delete prepare'],
    ['CREATE RULE r AS ON INSERT TO t DO INSTEAD DELETE FROM t', 'create delete'],
    ['CREATE TABLE t AS SELECT 1', 'create select'],
    ['CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1', 'create'],
    ['ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO x', 'grant'],
    ['REINDEX TABLE t', 'maintain'],
    ["LOAD 'x'", 'other'],
    ['SELECT 1; DROP TABLE t', 'drop select'],
    ['BEGIN READ WRITE', 'transaction', 'writable'],
    ['BEGIN READ ONLY', 'transaction'],
    ['SET TRANSACTION READ WRITE', 'set', 'writable'],
    ['SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE', 'set', 'writable'],
    ['SET LOCAL default_transaction_read_only = off', 'set', 'writable'],
    ['SET default_transaction_read_only = on', 'set'],
    ['SET transaction_read_only = on', 'set'],
    ['RESET transaction_read_only', 'set', 'writable'],
    ['SET "Transaction_Read_Only" TO DEFAULT', 'set', 'writable'],
    ['SET LOCAL transaction_read_only TO DEFAULT', 'set', 'writable'],
    ['SET transaction_read_only FROM CURRENT', 'set', 'writable'],
    ['RESET default_transaction_read_only', 'set'],
    ['SET "Standard_Conforming_Strings" TO 0', 'set', 'strings'],
    ['SET standard_conforming_strings TO DEFAULT', 'set'],
    ["SET NAMES 'SJIS'", 'set', 'encoding'],
    ["SET client_encoding TO 'utf-8'", 'set'],
  ] as const) {
    const reading = await read(text);
    if (kinds === undefined) assert.equal(reading.kind, 'unreadable', text);
    else {
      assert.equal(reading.kind, 'read', text);
      assert.ok(reading.kind === 'read');
      assert.deepEqual([reading.kinds.join(' '), reading.marks.join(' ')], [kinds, marks], text);
    }
  }
});

test('a fingerprint has nothing of literals, and names what is alike', async () => {
  const [one, other, third] = [
    await read("SELECT a FROM t WHERE b = 'canary' AND c IN (1, 2)"),
    await read('select a from t where b = $1 and c in (3)'),
    await read('SELECT a FROM s'),
  ];
  assert.ok(one.kind === 'read' && other.kind === 'read' && third.kind === 'read');
  assert.equal(one.fingerprint, other.fingerprint);
  assert.notEqual(one.fingerprint, third.fingerprint);
  assert.doesNotMatch(JSON.stringify(one), /canary/);
});

test('what is too deep is no fault of the next one', async () => {
  for (const deep of [`SELECT 1${'+1'.repeat(40_000)}`, `SELECT ${'('.repeat(20_000)}`, 'SELEC 1']) {
    const reading = await read(deep);
    assert.equal(reading.kind, 'unreadable');
    assert.deepEqual((await read('SELECT 1')).kind, 'read');
  }
});

test('a rule lets its kinds pass and what belongs to a session, and nothing that cannot be read', async () => {
  const rule = { allowed: ['select', 'insert'], isReadOnly: false } as const;
  for (const [text, refusal] of [
    ['SELECT 1', undefined],
    ['BEGIN READ WRITE', undefined],
    ['FETCH c', undefined],
    ['UPDATE t SET a = 1', { why: 'kind', kind: 'update' }],
    ['SELEC', { why: 'unreadable' }],
    ['SET standard_conforming_strings = off', { why: 'strings' }],
  ] as const)
    assert.deepEqual(judge(await read(text), rule), refusal, text);
  const readOnly = { allowed: ['select'], isReadOnly: true } as const;
  assert.deepEqual(judge(await read('BEGIN READ WRITE'), readOnly), { why: 'writable' });
  assert.equal(judge(await read('SELEC'), { allowed: undefined, isReadOnly: false }), undefined);
  for (const [text, plain] of [
    ["SELECT 'a'", true],
    [String.raw`SELECT 'a\'`, false],
    ["SELECT 'ä'", false],
  ] as const)
    assert.equal(isPlain(Buffer.from(text)), plain, text);
});
