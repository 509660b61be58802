import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readErrorCode, readKeys, stsWords } from '../../../../src/gateway/credentials/sts/sts-response.ts';
import { xmlTexts } from '../../../../src/gateway/credentials/sts/xml-texts.ts';
import { seededBelow } from '../../../support/seeded.ts';

const keys = `<Credentials>
      <SessionToken>AQoDYXdzEE0a8ANXXXXXXXXNO1ewxE5TijQyp+IEXAMPLE==</SessionToken>
      <SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY</SecretAccessKey>
      <Expiration>2014-10-24T23:00:23Z</Expiration>
      <AccessKeyId>ASgeIAIOSFODNN7EXAMPLE</AccessKeyId>
    </Credentials>`;
/** The example of the reference of the API. */
const response = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>amzn1.account.AF6RHO7KZU5XRVQJGXK6HB56KR2A</SubjectFromWebIdentityToken>
    <Audience>client.5498841531868486423.1548@apps.example.com</Audience>
    <AssumedRoleUser>
      <Arn>arn:aws:sts::123456789012:assumed-role/FederatedWebIdentityRole/app1</Arn>
      <AssumedRoleId>AROACLKWSDQRAOEXAMPLE:app1</AssumedRoleId>
    </AssumedRoleUser>
    ${keys}
    <SourceIdentity>SourceIdentityValue</SourceIdentity>
    <Provider>www.amazon.com</Provider>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata>
    <RequestId>ad4156e9-bce1-11e2-82e6-6b6efEXAMPLE</RequestId>
  </ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>`;
const error = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error><Type>Sender</Type><Code>ExpiredTokenException</Code><Message>Token &lt;a&gt; &amp; more</Message></Error>
  <RequestId>c6104cbe</RequestId>
</ErrorResponse>`;
const read = (xml: string) => readKeys('AssumeRoleWithWebIdentity', xml);

test('the keys of the published example are read, and its error', () => {
  for (const xml of [response, `<?xml version="1.0" encoding="UTF-8"?>\n${response}\n`]) {
    const given = read(xml);
    assert.equal(given?.keys.accessKeyId, 'ASgeIAIOSFODNN7EXAMPLE');
    assert.equal(given?.keys.secretAccessKey.reveal(), 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY');
    assert.equal(given?.keys.sessionToken?.reveal(), 'AQoDYXdzEE0a8ANXXXXXXXXNO1ewxE5TijQyp+IEXAMPLE==');
    assert.equal(given?.endsAtMs, Date.parse('2014-10-24T23:00:23Z'));
  }
  assert.equal(readErrorCode(error), 'ExpiredTokenException');
  assert.match(stsWords('ExpiredTokenException'), /has ended/);
  assert.equal(xmlTexts(error)?.get('ErrorResponse/Error/Message'), 'Token <a> & more');
  assert.equal(xmlTexts('<a><b/></a>')?.get('a/b'), '');
});

test('what is no such document, or not the response to that action, gives no keys', () => {
  const broken: Readonly<Record<string, string>> = {
    empty: '',
    'an error': error,
    'of another action': response.replaceAll('AssumeRoleWithWebIdentity', 'AssumeRole'),
    'keys twice': response.replace(keys, keys + keys),
    'a key twice': response.replace(
      '<AccessKeyId>',
      '<AccessKeyId>AAAAAAAAAAAAAAAAAAAA</AccessKeyId><AccessKeyId>',
    ),
    'keys elsewhere': response.replace(keys, '').replace('<ResponseMetadata>', `${keys}<ResponseMetadata>`),
    'a declaration of types': `<!DOCTYPE a [<!ENTITY x "y">]>${response}`,
    'a comment': response.replace(keys, `<!-- ${keys} -->`),
    CDATA: response.replace('app1', '<![CDATA[app1]]>'),
    'an entity that nobody knows': response.replace('app1', '&x;'),
    'a bare ampersand': response.replace('app1', 'a & b'),
    'two roots': `${response}${response}`,
    'text beside elements': response.replace('<Credentials>', '<Credentials>text'),
    'an end that is missing': response.replace('</Credentials>', ''),
    'ends in another order': response.replace('</Arn>', '</AssumedRoleId>'),
    'a key with a line end': response.replace('wJalrXUtnFEMI', 'wJalr\nXUtnFEMI'),
    'no time': response.replace('2014-10-24T23:00:23Z', 'later'),
    'an end like no time': response.replace('2014-10-24T23:00:23Z', '2014-99-24T23:00:23Z'),
    'too deep': response.replace('app1', `${'<a>'.repeat(9)}${'</a>'.repeat(9)}`),
    'too long': response.replace('app1', 'a'.repeat(40_000)),
  };
  for (const [name, xml] of Object.entries(broken)) assert.equal(read(xml), undefined, name);
  for (const xml of ['', '<ErrorResponse/>', error.replace('ExpiredTokenException', 'a b'), response])
    assert.equal(readErrorCode(xml), undefined);
});

test('a response with octets changed, left out or twice gives the same keys or none, or differs in the texts of its keys alone', () => {
  const below = seededBelow(22);
  const whole = read(response);
  let taken = 0;
  for (let round = 0; round < 4_000; round += 1) {
    const at = below(response.length);
    const length = 1 + below(40);
    const change = ['', '<', '&', '>', '/', response.slice(at, at + length).repeat(2)][below(6)] ?? '';
    const given = read(response.slice(0, at) + change + response.slice(at + length));
    if (given === undefined) continue;
    taken += 1;
    for (const text of [
      given.keys.accessKeyId,
      given.keys.secretAccessKey.reveal(),
      given.keys.sessionToken?.reveal() ?? '',
    ])
      assert.match(text, /^[\x21-\x7e]+$/, `round ${String(round)}`);
    const inKeys = at + length > response.indexOf(keys) && at < response.indexOf(keys) + keys.length;
    if (!inKeys) assert.deepEqual(given, whole, `round ${String(round)}`);
  }
  assert.ok(taken > 0);
});
