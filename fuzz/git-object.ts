// Fuzz target: commits and tags to sign, as latin1 text. What is read has one header in git's order, and says of itself what another reader of
// the same octets finds. Options as in run-target.ts.

import assert from 'node:assert/strict';

import { identityText } from '../src/understand/git-identity.ts';
import { readGitObject } from '../src/understand/git-object.ts';
import { generatedObject } from '../test/support/git-objects.ts';
import { runTarget } from './run-target.ts';

/** Lines of the header by their key, folded lines with the one before. */
function headerOf(text: string): readonly (readonly [key: string, value: string])[] {
  const header = text.slice(0, text.indexOf('\n\n')).replaceAll('\n ', '\u0001');
  return header.split('\n').map((line) => [line.split(' ')[0] ?? '', line.slice(line.indexOf(' ') + 1)]);
}

function check(text: string): boolean {
  const octets = Buffer.from(text, 'latin1');
  const object = readGitObject(octets);
  if (typeof object === 'string') return false;
  assert.ok(!octets.includes(0));
  const lines = headerOf(octets.toString('utf8'));
  const keys = lines.map(([key]) => key).join(' ');
  const valuesOf = (key: string): readonly string[] =>
    lines.flatMap(([one, value]) => (one === key ? [value] : []));
  const whoIn = (key: string): string => {
    const [value = '', ...more] = valuesOf(key);
    assert.equal(more.length, 0);
    return value.slice(0, value.lastIndexOf('>') + 1);
  };
  if (object.kind === 'tag') {
    assert.equal(keys, 'object type tag tagger');
    assert.deepEqual(valuesOf('tag'), [object.tag]);
    assert.equal(whoIn('tagger'), identityText(object.committer));
  } else {
    assert.match(keys, /^tree( parent)* author committer( encoding)?( mergetag)*$/);
    assert.equal(whoIn('author'), identityText(object.author));
    assert.equal(whoIn('committer'), identityText(object.committer));
  }
  return true;
}

await runTarget({
  name: 'git-object',
  generate: (random) => generatedObject(random).toString('latin1'),
  check,
});
