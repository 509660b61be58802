import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bannedWords, unwantedWords } from '../../scripts/vocabulary.ts';

const answer = bannedWords[0]!.word;

test('a planted word is found with its place, in prose, in identifiers and in any case', () => {
  const text = `first\nthe ${answer} of the origin\nconst origin${answer[0]!.toUpperCase()}${answer.slice(1)} = 1;\n`;
  const found = unwantedWords('src/gateway/exchange/exchange.ts', text);
  assert.deepEqual(
    found.map((line) => line.slice(0, line.indexOf(': '))),
    ['src/gateway/exchange/exchange.ts:2', 'src/gateway/exchange/exchange.ts:3'],
  );
  assert.match(found[0]!, /said as response \(RFC 9110/);
});

test('what DNS and persons give stays what it is', () => {
  assert.deepEqual(unwantedWords('src/net/resolver.ts', `the ${answer} of a name server`), []);
  assert.deepEqual(unwantedWords('docs/reference/limits.md', `A name server that does not ${answer}`), []);
  assert.equal(unwantedWords('docs/reference/limits.md', `An origin that does not ${answer}`).length, 1);
});
