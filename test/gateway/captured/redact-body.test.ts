import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { redactBody } from '../../../src/gateway/captured/redact-body.ts';

function redacted(text: string, type: string | undefined, coding?: string): string | undefined {
  const given = { bytes: new Uint8Array(Buffer.from(text)), type, coding };
  const outcome = redactBody(given, ['password', 'tökén']);
  return outcome === undefined ? undefined : Buffer.from(outcome.bytes).toString();
}

describe('values are left out by their names', () => {
  const json = 'application/json; charset=utf-8';
  const form = 'application/x-www-form-urlencoded';
  const cases: readonly [string, string, string, string][] = [
    ['a text', json, '{"a":1,"password": "x","b":2}', '{"a":1,"password": "[redacted]","b":2}'],
    ['whatever its letters', json, '{"PassWord":"x"}', '{"PassWord":"[redacted]"}'],
    [
      'written by escapes',
      json,
      String.raw`{"pass\u0077ord":"x"}`,
      String.raw`{"pass\u0077ord":"[redacted]"}`,
    ],
    ['in other letters', json, '{"Tökén":"x"}', '{"Tökén":"[redacted]"}'],
    ['a quote in it', json, String.raw`{"password":"x\"y,\\","b":2}`, '{"password":"[redacted]","b":2}'],
    ['a number', json, '{"password":12.5e3}', '{"password":"[redacted]"}'],
    ['a word', json, '{"password":null\n}', '{"password":"[redacted]"\n}'],
    ['a map', json, '{"password":{"a":["]}"],"b":{}},"c":1}', '{"password":"[redacted]","c":1}'],
    ['a list', json, '{"password":[1,[2]]}', '{"password":"[redacted]"}'],
    [
      'within others',
      json,
      '[{"x":{"password":"y"}},{"password":"z"}]',
      '[{"x":{"password":"[redacted]"}},{"password":"[redacted]"}]',
    ],
    ['with space around the colon', json, '{"password" \n:\t"y"}', '{"password" \n:\t"[redacted]"}'],
    ['cut off in the value', json, '{"password":"secr', '{"password":"[redacted]"'],
    ['cut off in an escape', json, '{"password":"secr\\', '{"password":"[redacted]"'],
    ['cut off before it', json, '{"a":1,"password":', '{"a":1,"password":'],
    ['cut off in a map', json, '{"password":{"a":"b', '{"password":"[redacted]"'],
    ['the name as a value', json, '{"a":"password","b":1}', '{"a":"password","b":1}'],
    ['JSON of a kind', 'application/problem+json', '{"password":1}', '{"password":"[redacted]"}'],
    [
      'a line each',
      'application/x-ndjson',
      '{"password":1}\n{"password":2}\n',
      '{"password":"[redacted]"}\n{"password":"[redacted]"}\n',
    ],
    ['a form', form, 'a=1&password=x%26&b=2', 'a=1&password=[redacted]&b=2'],
    [
      'a form, whatever its letters',
      form,
      'PASS%57ord=x&t%C3%B6k%C3%A9n=y',
      'PASS%57ord=[redacted]&t%C3%B6k%C3%A9n=[redacted]',
    ],
    ['a form, cut off', form, 'a=1&password=x', 'a=1&password=[redacted]'],
  ];
  for (const [name, type, text, expected] of cases)
    test(name, () => assert.equal(redacted(text, type), expected));
});

describe('where names cannot be found nothing is kept', () => {
  const cases: readonly [string, string, string | undefined, string?][] = [
    ['no type', '{"password":1}', undefined],
    ['a text', 'password: x', 'text/plain'],
    ['parts', 'password', 'multipart/form-data; boundary=x'],
    ['an encoding', 'x', 'application/json', 'gzip'],
    ['other letters', 'x', 'application/json; charset=utf-16'],
    ['other letters that are not said', '{\0"\0p\0', 'application/json'],
  ];
  for (const [name, text, type, coding] of cases)
    test(name, () => assert.equal(redacted(text, type, coding), undefined));
});

test('without names, a body stays as it is', () => {
  const bytes = new Uint8Array([0, 255, 1]);
  assert.deepEqual(redactBody({ bytes, type: undefined, coding: 'gzip' }, []), { bytes, count: 0 });
});
