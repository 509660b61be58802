import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bordersOf } from '../../../src/gateway/scrub/body-borders.ts';
import { noBorders } from '../../../src/gateway/scrub/borders.ts';
import { CodedPartGuard } from '../../../src/gateway/scrub/coded-part-guard.ts';
import { EnvelopeBorders } from '../../../src/gateway/scrub/envelope-borders.ts';
import { EventBorders, lineBorders } from '../../../src/gateway/scrub/line-borders.ts';

test('texts have line ends, events, messages and frames their own borders, and nothing else has any', () => {
  for (const type of [
    'text/plain',
    'TEXT/HTML; charset=utf-8',
    'application/json',
    'application/problem+json',
    'image/svg+xml',
    'application/x-ndjson',
    'application/json-seq',
    'application/xml',
    'application/javascript',
  ])
    assert.equal(bordersOf(type, 'h'), lineBorders, type);
  assert.ok(bordersOf('text/event-stream;charset=utf-8', 'h') instanceof EventBorders);
  for (const type of [
    'application/grpc',
    'application/grpc+proto',
    'application/grpc-web+proto',
    'application/connect+json',
    'application/vnd.amazon.eventstream',
  ])
    assert.ok(bordersOf(type, 'h') instanceof EnvelopeBorders, type);
  for (const type of ['multipart/mixed; boundary=x', 'message/http', 'application/http'])
    assert.ok(bordersOf(type, 'h') instanceof CodedPartGuard, type);
  for (const type of ['', 'application/octet-stream', 'application/proto', 'image/png'])
    assert.equal(bordersOf(type, 'h'), noBorders, type);
});

test('gRPC-Web as text is refused: compressed messages cannot be told in it', () => {
  assert.throws(() => bordersOf('application/grpc-web-text+proto', 'h'), { code: 'origin_malformed' });
});
