import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { asProxyError, ProxyError } from '../../src/protocol/error.ts';
import { errorCodeOfWire, errorTable } from '../../src/protocol/error-table.ts';
import { assertDocsTable, markdownTable } from './docs-table.ts';

describe('the error table', () => {
  const rows = Object.entries(errorTable);

  test('gives each code a wire number of its own that fits the frame', () => {
    const numbers = rows.map(([, { wire }]) => wire);
    assert.equal(new Set(numbers).size, numbers.length);
    for (const number of numbers) assert.ok(number >= 1 && number <= 0xffff);
  });

  test('has HTTP statuses and exit codes that exist', () => {
    for (const [code, { http, exit, meaning }] of rows) {
      assert.ok(http >= 400 && http <= 599, code);
      assert.ok(exit === 130 || (exit >= 64 && exit <= 78), code);
      assert.match(meaning, /^[A-Z].*\.$/, code);
    }
  });

  test('is the table of docs/reference/errors.md', () => {
    const table = markdownTable(
      ['code', 'HTTP status', 'wire number', 'exit code', 'verdict', 'meaning'],
      rows.map(([code, { http, wire, exit, isDenial, meaning }]) => [
        `\`${code}\``,
        `${http}`,
        `${wire}`,
        `${exit}`,
        isDenial ? '`deny`' : '`error`',
        meaning,
      ]),
    );
    assertDocsTable('errors.md', 'errors', table);
  });
});

describe('a proxy error', () => {
  test('knows its numbers, keeps its cause, and shows no detail of the operator in its message', () => {
    const cause = new Error('ECONNREFUSED');
    const error = new ProxyError('origin_unreachable', 'example.com refuses', {
      cause,
      operatorDetail: '10.0.0.7',
    });
    assert.deepEqual([error.httpStatus, error.wireCode, error.exitCode], [502, 67, 68]);
    assert.equal(error.cause, cause);
    assert.ok(!String(error).includes('10.0.0.7'));
  });

  test('has no cause property when it has no cause', () => {
    assert.equal('cause' in new ProxyError('internal', 'x'), false);
  });

  test('is found by its number; a number of a later version is internal', () => {
    assert.equal(errorCodeOfWire(63), 'policy_denied');
    assert.equal(errorCodeOfWire(60_000), 'internal');
  });

  test('is made of anything thrown', () => {
    const known = new ProxyError('timeout', 'late');
    assert.equal(asProxyError(known), known);
    const foreign = new TypeError('boom');
    assert.deepEqual([asProxyError(foreign).code, asProxyError(foreign).cause], ['internal', foreign]);
    assert.equal(asProxyError('text', 'cancelled').message, 'text');
    // What came first is what it is about.
    assert.equal(asProxyError(new SuppressedError(foreign, known)), known);
  });
});
