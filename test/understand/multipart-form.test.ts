// Forms with operations of GraphQL and files: where every server finds the same parts, and no others.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { UnreadableBody } from '../../src/understand/json-value.ts';
import { readOperationsForm } from '../../src/understand/multipart-form.ts';
import { formBoundaryOf } from '../../src/understand/multipart-parts.ts';
import { seeded } from '../support/seeded.ts';
import { writeJson } from '../../src/understand/write-json.ts';

const bounds = { depthMax: defaultLimits.jsonDepthMax, valuesMax: defaultLimits.jsonValuesMax };
const asked = '{"query":"mutation ($f: Upload!) { a(file: $f) }","variables":{"f":null,"list":[null,"x"]}}';

const part = (name: string, content: string, more = ''): string =>
  `--X\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${content}\r\n`;
const file = (name: string, content = 'octets'): string => part(name, content, '; filename="a b.txt"');
const end = '--X--\r\n';
const sound = part('operations', asked) + part('map', '{"0":["variables.f"]}') + file('0') + end;

function readForm(text: string): string {
  const read = readOperationsForm(Buffer.from(text, 'latin1'), 'X', bounds);
  return read instanceof UnreadableBody ? `unreadable: ${read.reason}` : writeJson(read.value);
}

test('boundaries that all servers read alike', () => {
  assert.equal(formBoundaryOf('multipart/form-data; boundary=----WebKit_1.a'), '----WebKit_1.a');
  assert.equal(formBoundaryOf('Multipart/Form-Data;boundary=X'), 'X');
  for (const type of [
    'multipart/form-data',
    'multipart/form-data; boundary="X"',
    'multipart/form-data; boundary=X; boundary=Y',
    'multipart/form-data; charset=utf-8; boundary=X',
    "multipart/form-data; boundary*=utf-8''X",
    'multipart/mixed; boundary=X',
    `multipart/form-data; boundary=${'X'.repeat(71)}`,
  ])
    assert.equal(formBoundaryOf(type), undefined, type);
});

test('the operations of a form, with null where files are', () => {
  assert.equal(readForm(sound), asked);
  const typed = sound.replace(
    'name="operations"\r\n',
    'name="operations"\r\nContent-Type: application/json; charset=utf-8\r\n',
  );
  assert.equal(readForm(typed), asked);
  assert.equal(readForm(sound.replace('a b.txt"\r\n', 'a b.txt"\r\ncontent-type: image/png\r\n')), asked);
  assert.equal(readForm(sound.replace('variables.f', 'variables.list.0')), asked);
  assert.equal(readForm(sound.slice(0, -2)), asked);
  // Dashes and line ends in a file are its own.
  assert.equal(readForm(sound.replace('octets', '--\r\n--\r\n\r\n-X')), asked);
  const batch = part('operations', `[${asked}]`) + part('map', '{"0":["0.variables.f"]}') + file('0') + end;
  assert.equal(readForm(batch), `[${asked}]`);
});

test('a form has no more parts, and no longer lines in their heads, than are looked at', () => {
  assert.match(
    readForm(sound.replace(end, part('x', '').repeat(1000) + end)),
    /of too many parts \(formPartsMax\)/,
  );
  assert.match(readForm(sound.replace(end, part('x'.repeat(5000), '') + end)), /in different places/);
  assert.doesNotMatch(readForm(sound.replace(end, part('x'.repeat(3000), '') + end)), /in different places/);
});

describe('forms that are not read', () => {
  const change = (from: string, to: string): string => {
    assert.ok(sound.includes(from), from);
    return sound.replace(from, to);
  };
  for (const [what, text] of [
    ['no octets', ''],
    ...['operations', 'Map', 'QUERY', 'variables', 'operationname', 'extensions', 'documentId'].map(
      (name) =>
        [
          `a file named ${name}`,
          part('operations', asked) + part('map', `{"${name}":["variables.f"]}`) + file(name) + end,
        ] as const,
    ),
    ['no parts', end],
    ['a preamble', `x\r\n${sound}`],
    ['an epilogue', `${sound}x`],
    ['no end', sound.slice(0, -4)],
    ['ends of lines without a CR', sound.replaceAll('\r\n', '\n')],
    ['a delimiter without a CR before it', change('octets\r\n--X', 'octets\n--X')],
    [
      'a delimiter in a file',
      change('octets', 'a\n--X\nContent-Disposition: form-data; name="operations"\n\n{}'),
    ],
    ['a longer delimiter in a file', change('octets', 'a\r\n--XY')],
    ['blanks behind a delimiter', change('--X\r\n', '--X \r\n')],
    ['operations twice', change(end, part('operations', asked) + end)],
    ['map twice', change(end, part('map', '{}') + end)],
    ['a field that the map does not name', change(end, file('1') + end)],
    ['a file twice', change(end, file('0') + end)],
    ['a file that is a field', change('; filename="a b.txt"', '')],
    ['the map first', part('map', '{}') + part('operations', asked) + end],
    ['operations as a file', change('"operations"', '"operations"; filename="x"')],
    ['another parameter', change('"operations"', '"operations"; x=y')],
    ['a name that is encoded', change('name="operations"', "name*=utf-8''operations")],
    ['a name without quotes', change('name="operations"', 'name=operations')],
    ['two names', change('name="operations"', 'name="operations"; name="map"')],
    ['a coding', change('"operations"\r\n', '"operations"\r\nContent-Transfer-Encoding: base64\r\n')],
    [
      'another charset',
      change('"operations"\r\n', '"operations"\r\nContent-Type: application/json; charset=utf-16\r\n'),
    ],
    ['a folded line', change('"operations"\r\n', '"operations"\r\n x\r\n')],
    [
      'two dispositions',
      change('"operations"\r\n', '"operations"\r\nContent-Disposition: form-data; name="map"\r\n'),
    ],
    ['a name in another case', change('"operations"', '"Operations"')],
    [
      'a part without an end of its head',
      change('"0"; filename="a b.txt"\r\n\r\noctets', '"0"; filename="a b.txt"'),
    ],
    ['names twice in operations', change('{"query"', '{"query":1,"query"')],
    ['a map that is no object', change('{"0":["variables.f"]}', '[]')],
    ['a place in the query', change('variables.f', 'query')],
    ['a place that is not null', change('variables.f', 'variables.list.1')],
    ['a place that is not there', change('variables.f', 'variables.g')],
    ['a place that is inherited', change('variables.f', 'variables.__proto__')],
    ['a place of an array by its length', change('variables.f', 'variables.list.length')],
    ['a place that is no text', change('["variables.f"]', '[1]')],
    ['a file without a place', change('["variables.f"]', '[]')],
  ] as const)
    test(what, () => {
      assert.match(readForm(text), /^unreadable: is a form/);
    });
});

test('of generated forms each that is read is read alike by the parser of Node', async () => {
  const random = seeded(20_261_127);
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const odd = [
    '\r\n',
    '\n',
    '--X',
    '--X\r\n',
    '--X--',
    ' ',
    '"',
    ';',
    '\0',
    '\r',
    'filename="x"',
    'name="map"',
    '{',
    '0',
    '\x80',
  ];
  let read = 0;
  for (let round = 0; round < 2000; round += 1) {
    const at = Math.floor(random() * sound.length);
    const text = sound.slice(0, at) + pick(odd) + sound.slice(at + pick([0, 0, 1, 2]));
    const own = readForm(text);
    if (own.startsWith('unreadable')) continue;
    read += 1;
    const headers = { 'content-type': 'multipart/form-data; boundary=X' };
    const form = await new Response(Buffer.from(text, 'latin1'), { headers })
      .formData()
      .catch(() => undefined);
    // Who refuses it runs nothing of it.
    if (form === undefined) continue;
    const operations = form.getAll('operations');
    assert.equal(operations.length, 1, text);
    assert.deepEqual(JSON.parse(String(operations[0])), JSON.parse(own), text);
    assert.equal(form.getAll('map').length, 1, text);
  }
  assert.ok(read > 100, String(read));
});
