// Which bodies can be read, by the fields of their request.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderList } from '../../src/http/header-list.ts';
import { jsonCodingOf } from '../../src/understand/read-body.ts';

const type = (value: string): readonly [string, string] => ['Content-Type', value];
const coded = (value: string): readonly [string, string] => ['Content-Encoding', value];

test('JSON in UTF-8 under one name, in a coding that all read alike', () => {
  for (const [fields, expected] of [
    [[type('application/json')], 'identity'],
    [[type('Application/JSON; charset=UTF-8')], 'identity'],
    [[type('application/vnd.api+json; profile="https://a.test/x"')], 'identity'],
    [[type('application/json'), coded('gzip')], 'gzip'],
    [[type('application/json'), coded('X-GZIP')], 'gzip'],
    [[type('application/json'), coded('br')], 'br'],
    [[type('application/json'), coded('zstd')], 'zstd'],
  ] as const)
    assert.equal(jsonCodingOf(new HeaderList(fields)), expected);
});

test('whatever leaves a choice to the server is not read', () => {
  for (const fields of [
    [],
    [type('text/plain')],
    [type('application/json'), type('application/json')],
    [type('application/json, text/plain')],
    [type('application/json; charset=utf-16')],
    [type('application/json; charset=utf-8; charset=utf-7')],
    [type('application/json; charset=utf-8; charset=utf-8')],
    [type("application/json; charset*=us-ascii''utf-7")],
    [type('application/json; charset*0=utf-7')],
    [type('application/json; (c)charset=utf-7')],
    [type('application/json; charset = utf-7')],
    [type('application/json; charset')],
    [type(String.raw`application/json; x="\"; charset=utf-7`)],
    [type('application/jsonp')],
    [type('application/x+json+xml')],
    [type('multipart/form-data; boundary=x')],
    [type('application/json'), coded('deflate')],
    [type('application/json'), coded('gzip, gzip')],
    [type('application/json'), coded('gzip'), coded('gzip')],
    [type('application/json'), coded('identity')],
    [type('application/json'), ['content_type', 'text/plain'] as const],
    [type('application/json'), ['content_encoding', 'gzip'] as const],
  ])
    assert.equal(typeof jsonCodingOf(new HeaderList(fields)), 'object', JSON.stringify(fields));
});
