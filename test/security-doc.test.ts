// SECURITY.md promises with a proof behind each sentence; here it is looked whether the proofs that it names exist.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { cases } from './hardening/cases.ts';

const root = new URL('../', import.meta.url);
const text = readFileSync(new URL('SECURITY.md', root), 'utf8');

/** Rows of the tables below a heading, without the head of the table. */
function rowsBelow(heading: string): string[][] {
  const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** `47–49` names all three. */
function spread(proof: string): readonly string[] {
  const [, first, last] = /^(\d+)–(\d+)$/.exec(proof) ?? [];
  if (first === undefined || last === undefined) return [proof];
  assert.ok(Number(first) < Number(last), proof);
  return Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) =>
    String(Number(first) + index),
  );
}

test('each guarantee names tests, and they are there', () => {
  const rows = rowsBelow('What is guaranteed');
  assert.ok(rows.length >= 10, 'the table was not found');
  for (const [sentence = '', proofs = ''] of rows) {
    const paths = proofs.split(', ').filter((proof) => proof !== 'the demo');
    assert.ok(paths.length > 0, sentence);
    for (const path of paths) {
      assert.match(path, /^test\//, sentence);
      assert.ok(existsSync(new URL(path, root)), `${path}: ${sentence}`);
    }
  }
});

test('each sentence about the gateway under attack names groups of attacks, and each group stands there', () => {
  const rows = rowsBelow('The gateway under attack');
  assert.ok(rows.length >= 10, 'the table was not found');
  const cases = JSON.parse(readFileSync(new URL('test/attacks/cases.json', root), 'utf8')) as readonly {
    readonly group: string;
  }[];
  const known = new Set(cases.map(({ group }) => group));
  const named = new Set(rows.flatMap(([, groups = '']) => groups.split(', ')));
  assert.deepEqual([...named].toSorted(), [...known].toSorted());
});

test('each sentence about the agent under attack names cases of the hardening suite or a test, and each case stands there', () => {
  const rows = rowsBelow('The agent under attack');
  assert.ok(rows.length >= 10, 'the table was not found');
  const known = new Set(cases.map(({ number }) => number));
  const named = new Set<string>();
  for (const [sentence = '', , proofs = ''] of rows) {
    const numbers = proofs
      .split(', ')
      .filter((number) => number !== '')
      .flatMap(spread);
    assert.ok(numbers.length > 0, sentence);
    for (const number of numbers) {
      // What no case of the suite can show has a test file of its own.
      const isFile = /^test\/\S+\.test\.ts$/.test(number) && existsSync(new URL(number, root));
      assert.ok(isFile || known.has(number), `there is no case or test ${number}: ${sentence}`);
      named.add(number);
    }
  }
  assert.deepEqual(
    [...known].filter((number) => !named.has(number)),
    [],
  );
});

test('what is not guaranteed names no case that is not there', () => {
  const section = text.split(/^## /m).find((part) => part.startsWith('What is not')) ?? '';
  const known = new Set(cases.map(({ number }) => number));
  const named = [...section.matchAll(/\bcases? ((?:\d+[a-z]?(?:, | and )?)+)/g)].flatMap(
    ([, list = '']) => list.match(/\d+[a-z]?/g) ?? [],
  );
  assert.ok(named.length > 0);
  assert.deepEqual(
    named.filter((number) => !known.has(number)),
    [],
  );
});
