import assert from 'node:assert/strict';
import { test } from 'node:test';

import { saysKeysEnded } from '../../../../src/gateway/credentials/sigv4/keys-ended.ts';
import { HeaderList } from '../../../../src/http/header-list.ts';

const says = (start: string, type?: string): boolean =>
  saysKeysEnded({ headers: new HeaderList(type === undefined ? [] : [['X-Amzn-ErrorType', type]]), start });

test('the forms in which services of AWS say that keys have ended', () => {
  assert.equal(says('<?xml version="1.0"?>\n<Error><Code>ExpiredToken</Code><Message>a</Message>'), true);
  assert.equal(says('<ErrorResponse><Error><Code>InvalidClientTokenId</Code>'), true);
  assert.equal(says('{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"a"}'), true);
  assert.equal(says('{"message":"a", "code" : "UnrecognizedClientException"}'), true);
  assert.equal(says('', 'ExpiredTokenException:http://internal.example.com/'), true);
  assert.equal(says('{"message":"a"}', 'ExpiredTokenException'), true);
});

test('a refusal for another reason is no end of keys', () => {
  for (const [start, type] of [
    ['<Error><Code>AccessDenied</Code><Message>ExpiredToken</Message>'],
    ['<Error><Code>SignatureDoesNotMatch</Code>'],
    ['{"__type":"AccessDeniedException","message":"the word ExpiredToken"}'],
    ['', 'AccessDeniedException'],
    ['', 'NotExpiredTokenException'],
    ['ExpiredToken'],
    [''],
  ] as const)
    assert.equal(says(start, type), false, start);
});
