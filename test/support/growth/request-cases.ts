// Readers of a request on its way to its decision.

import assert from 'node:assert/strict';

import { segmentKind } from '../../../src/cli/policy/segment-kind.ts';
import { pathTemplate } from '../../../src/cli/policy/path-template.ts';
import { denialResponse } from '../../../src/gateway/exchange/denial.ts';
import { bodyFormOf } from '../../../src/gateway/credentials/request/placeholder-body.ts';
import { awsClaimOf } from '../../../src/gateway/credentials/sigv4/aws-claim.ts';
import { canonicalRequest } from '../../../src/gateway/credentials/sigv4/canonical-request.ts';
import {
  coveredField,
  coveredMethod,
  coveredPath,
  withoutOwnFields,
} from '../../../src/gateway/credentials/signatures/covered-head.ts';
import { parseComponent, signatureBase } from '../../../src/gateway/credentials/signatures/signature-base.ts';
import { sortedQuery } from '../../../src/gateway/credentials/signatures/sorted-query.ts';
import { askSearchable } from '../../../src/gateway/scrub/searchable-response.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import type { RequestHead } from '../../../src/http/message-head.ts';
import { pathFeatures, readingsFor, readPath } from '../../../src/http/path-reading.ts';
import { canonicalQueryText, readParameters, withoutParameter } from '../../../src/http/query-parameter.ts';
import { canonicalTarget, parseAbsoluteTarget } from '../../../src/http/request-target.ts';
import { validateRequest } from '../../../src/http/request-validation.ts';
import { gitRequestsOf } from '../../../src/policy/git-request.ts';
import { judgeFields } from '../../../src/policy/request-fields.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { access, nowMs, policyOf, principal } from '../../policy/fixture.ts';
import type { GrowthCases } from './growth-case.ts';

const destination = { scheme: 'https', host: 'a.test.example', port: 443 } as const;
const limits = { ...defaultLimits, headBytesMax: 1 << 22, headersCountMax: 1 << 18 };

function headWith(value: string, name = 'accept'): RequestHead {
  const headers = new HeaderList([[name, value]]);
  return { method: 'GET', destination, path: '/', query: '', headers, httpVersion: '1.1' };
}

const validated = (raw: readonly string[], target = '/'): unknown =>
  validateRequest({
    method: 'GET',
    target,
    rawHeaders: ['host', destination.host, ...raw],
    httpVersion: '1.1',
    limits,
    destination,
  });

export const requestCases: GrowthCases = {
  'the target': {
    pieces: ['/a', '%2e%2e/', '%25', ';a', '//', '%40%2F', '/%C3%A9', '/./', '/../', '%252e'],
    read: (text) => canonicalTarget(`/${text}`),
  },
  'an absolute target': {
    pieces: ['a', '/', '?', '.', ':', '://'],
    read: (text) => parseAbsoluteTarget(`http://${text}`),
  },
  'readings of a path': {
    pieces: ['%40', ';a', '//', '%2F', '%252Fa', '%3F', '%253B/'],
    read: (text) => readingsFor(pathFeatures(text)).map((reading) => readPath(text, reading)),
  },
  'git in a path': {
    pieces: ['/refs/heads/', '/objects/ab/', '/info/lfs', 'objects/pack/pack-a.', '/git-'],
    read: (text) => gitRequestsOf({ method: 'GET', path: text, query: '' }),
  },
  'a query': {
    pieces: ['a=b&', ';', '%61', '+', '&&', '%'],
    read: (text) => [
      readParameters(`?${text}`),
      canonicalQueryText(text),
      withoutParameter(`?${text}`, 'key'),
    ],
  },
  'the values of fields': {
    pieces: [' ', '\t', ' a', ',', ';', '"'],
    read: (text) => validated(['x-a', ` a${text}a `, 'connection', text]),
  },
  'many fields': {
    pieces: ['x-a\n', 'X_B\n', 'x-remote-user\n', 'te\n'],
    read: (text) => validated(text.split('\n').flatMap((name) => (name === '' ? [] : [name, '1']))),
  },
  'fields under a rule': {
    pieces: ['x-a\n', 'X_Remote_User\n', 'accept\n'],
    read: (text) => {
      const none = {
        named: new Set<string>(),
        only: undefined,
        removed: new Set<string>(),
        refused: new Set<string>(),
      };
      const asked = access('GET https://a.test.example/');
      const headers = new HeaderList(text.split('\n').map((name): [string, string] => [name, '1']));
      return asked.depth === 'request' && judgeFields(none, { ...asked, headers });
    },
  },
  'Accept, for a response that is searched': {
    pieces: [' ', ';', ';charset=', '"', '; charset = ', 'a,', '\\'],
    read: (text) => askSearchable(headWith(text).headers, { decode: false, keepsRange: false }),
  },
  'Accept, for a denial': {
    pieces: ['application/', 'a+', 'json', ' ', ',', 'application/a+'],
    read: (text) => denialResponse({ code: 'policy_denied', message: '', traceId: '' }, text),
  },
  'the URL of a denial': {
    pieces: ['/git-upload-pack', '/info/refs?service=', 'a'],
    read: (text) =>
      denialResponse(
        { code: 'policy_denied', message: '', traceId: '', url: text, accessUrl: '/', method: 'GET' },
        'a',
      ),
  },
  'Content-Type, for placeholders': {
    pieces: ['application/', 'a.', '+json', ';', ' '],
    read: (text) => bodyFormOf(headWith(`application/${text}`, 'content-type')),
  },
  'an AWS signature': {
    pieces: ['/', 'a/', '20200101/', ',', ' Credential=', '/aws4_request'],
    read: (text) => awsClaimOf(headWith(`AWS4-HMAC-SHA256 Credential=${text}/aws4_request`, 'authorization')),
  },
  'what AWS signs': {
    pieces: [' ', 'a', '%', '/', '//', '&', '%2f'],
    read: (text) =>
      canonicalRequest(
        { ...headWith(text, 'x-amz-a'), path: `/${text}`, query: `?${text}` },
        { service: 'execute-api', payload: '' },
      ),
  },
  'what a signature covers': {
    pieces: [' ', 'a', '_'],
    read: (text) => [
      coveredField(headWith(text, 'x-a'), 'x-a'),
      coveredMethod({ ...headWith(text), method: 'A'.repeat(text.length) }),
      coveredPath({ ...headWith(text), path: `/${text}` }),
      withoutOwnFields(headWith(text, 'x-a'), ['x-b']),
      signatureBase(
        { ...headWith(text, 'x-a'), query: `?${text}&a=${text}` },
        ['x-a', '@query', '@query-param;name="a"'].flatMap((name) => parseComponent(name) ?? []),
        [],
      ),
    ],
  },
  'a query that is sorted': {
    pieces: ['&', 'b=1', '%'],
    read: (text) => {
      const many = Array.from({ length: text.length / 4 }, (_, at) => `k${String(at).padStart(8, '0')}=1`);
      return [
        sortedQuery(`?${many.join('&')}`),
        assert.throws(() => sortedQuery(`?${text}`), { code: 'signature_refused' }),
      ];
    },
  },
  'segments that are learnt': {
    pieces: ['a', '1', '-1.1', '.', '-', '_v1.', '1.1', '%41'],
    read: (text) => [
      segmentKind(`${text}!`),
      segmentKind(`${text}.tgz`),
      segmentKind(text),
      pathTemplate(`/${text}`),
    ],
  },
  'a decision': {
    pieces: ['/a', '%40', ';x', '//', 'ab'],
    read: (text) => policy.decide(principal(), { ...asked, path: `/${text}` }, nowMs),
  },
};

const policy = policyOf(`
rules:
  - { name: d, hosts: a.test.example, paths: ["/*/a/*b/:x", "/:y.c/*"], deny: true }
  - { name: a, hosts: a.test.example, paths: "/:z+" }
`);
const request = access('GET https://a.test.example/');
assert.ok(request.depth === 'request');
const asked = request;
