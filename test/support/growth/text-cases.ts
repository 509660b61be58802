// Readers of short texts that peers choose: names, addresses, values of fields.

import assert from 'node:assert/strict';
import { awsClaimOf } from '../../../src/gateway/credentials/sigv4/aws-claim.ts';
import { signedHeaderNames } from '../../../src/gateway/credentials/sigv4/canonical-request.ts';
import { signedPayload } from '../../../src/gateway/credentials/sigv4/signed-payload.ts';
import { parseDateTime } from '../../../src/gateway/credentials/sigv4/signer.ts';
import { withoutForeign } from '../../../src/gateway/credentials/foreign-credentials.ts';
import {
  hasPlaceholder,
  substitutePlaceholder,
} from '../../../src/gateway/credentials/request/placeholder.ts';
import { HeldBodies } from '../../../src/gateway/credentials/request/held-bodies.ts';
import { readRetryAfter } from '../../../src/admin/admin-error.ts';
import { EventLines } from '../../../src/admin/event-lines.ts';
import { adminRoutes } from '../../../src/api/admin/routes.ts';
import { isOwnHost } from '../../../src/gateway/admin/admin-port.ts';
import { readQuery, routeOf } from '../../../src/gateway/admin/admin-request.ts';
import { isConsolePage } from '../../../src/gateway/admin/console-assets.ts';
import { openCursor, sealCursor } from '../../../src/gateway/admin/cursor-seal.ts';
import { cookieOf } from '../../../src/gateway/admin/log-in-cookies.ts';
import { personOf } from '../../../src/gateway/admin/person.ts';
import { etagMatches, requireMatch } from '../../../src/gateway/admin/etag.ts';
import { bearerToken } from '../../../src/gateway/admin/operator.ts';
import { placeOfCursor } from '../../../src/gateway/admin/seen-list.ts';
import { parseAccessRequest } from '../../../src/gateway/access/access-request.ts';
import { plainAddress } from '../../../src/gateway/admission/networks.ts';
import { sourceKey } from '../../../src/gateway/admission/source-key.ts';
import { redactBody } from '../../../src/gateway/captured/redact-body.ts';
import { boundedEventJson } from '../../../src/gateway/audit/bounded-event.ts';
import { knownAddresses } from '../../../src/net/known-addresses.ts';
import { grpcDenial, grpcTypeOf } from '../../../src/gateway/exchange/grpc-denial.ts';
import { pseudoField } from '../../../src/gateway/front/http2-client.ts';
import { isOfferedWebSocket } from '../../../src/gateway/front/websocket-offer.ts';
import { FieldNames, jsonFields } from '../../../src/store/uses/json-fields.ts';
import { readNarrowing } from '../../../src/gateway/sessions/narrowings.ts';
import { parseNarrowing } from '../../../src/policy/parse-narrowing.ts';
import { childEndOf, childOfferOf, childRequestOf } from '../../../src/protocol/child-lines.ts';
import { matchesAnyCase, matchesText } from '../../../src/policy/argument-pattern.ts';
import { graphqlRemedy, operationsText } from '../../../src/policy/graphql-rule.ts';
import { unmeasured } from '../../../src/policy/matching-work.ts';
import { idsIn } from '../../../src/understand/graphql-ids.ts';
import { loadGraphqlParser } from '../../../src/understand/graphql-parser.ts';
import { readGraphql } from '../../../src/understand/graphql-request.ts';
import { JsonObject, UnreadableBody } from '../../../src/understand/json-value.ts';
import { mcpMessageOf } from '../../../src/understand/mcp-message.ts';
import { jsonCodingOf } from '../../../src/understand/read-body.ts';
import { readJson } from '../../../src/understand/read-json.ts';
import { jsonReadings } from '../../../src/policy/json-readings.ts';
import { GitOptionPattern } from '../../../src/policy/git-option-pattern.ts';
import { optionsText } from '../../../src/policy/git-rule.ts';
import { gitFacts } from '../../../src/gateway/git/git-facts.ts';
import { readCallback } from '../../../src/gateway/callbacks/read-callback.ts';
import { isSignedBy } from '../../../src/gateway/notices/standard-webhook.ts';
import { refusedItems } from '../../../src/gateway/telemetry/otlp-writer.ts';
import { syslogFrame } from '../../../src/gateway/telemetry/syslog-message.ts';
import { readTraceparent } from '../../../src/gateway/telemetry/trace-context.ts';
import { metricsFormat } from '../../../src/gateway/metrics-text.ts';
import { bordersOf } from '../../../src/gateway/scrub/body-borders.ts';
import { hasParts } from '../../../src/gateway/scrub/coded-part-guard.ts';
import { envelopeFormOf } from '../../../src/gateway/scrub/envelope-borders.ts';
import { isDecodable } from '../../../src/gateway/scrub/response-decoder.ts';
import { scrubFields } from '../../../src/gateway/scrub/scrub-fields.ts';
import {
  foreignCharset,
  messageCoding,
  withoutDigests,
} from '../../../src/gateway/scrub/searchable-response.ts';
import { principalIdOf } from '../../../src/gateway/sessions/principal-id.ts';
import { hasDuplicateMember, splitToken } from '../../../src/gateway/sessions/session-token-parts.ts';
import { parseEnrolRequest } from '../../../src/gateway/sessions/session-request.ts';
import { sameHost } from '../../../src/gateway/tunnels/stream-scene.ts';
import { isAddressLiteral, parseAuthority } from '../../../src/http/authority.ts';
import { digitsAtEnd, splitNumber } from '../../../src/http/digits-at-end.ts';
import { fieldLine, isToken, unwritable } from '../../../src/http/field-line.ts';
import { listMembers, parseFields } from '../../../src/http/field-syntax.ts';
import { retryAfterSecondsOf } from '../../../src/http/retry-after.ts';
import { senderAddress } from '../../../src/http/forwarded.ts';
import { parseContentLength, requestFraming } from '../../../src/http/framing.ts';
import { cgiName, HeaderList } from '../../../src/http/header-list.ts';
import { endToEnd, forwardable } from '../../../src/http/hop-by-hop.ts';
import { canonicalAddress, parseIpv4, parseIpv6 } from '../../../src/http/ip-address.ts';
import type { RequestHead } from '../../../src/http/message-head.ts';
import { hiddenFault } from '../../../src/http/path-reading.ts';
import { octetAt } from '../../../src/http/percent-octet.ts';
import { printable } from '../../../src/http/printable.ts';
import { joinCookies, takePseudoHeaders } from '../../../src/http/pseudo-header.ts';
import { isPublicSuffix } from '../../../src/http/public-suffix.ts';
import { decodeParameter, withParameter } from '../../../src/http/query-parameter.ts';
import { fieldKey } from '../../../src/http/request-field-table.ts';
import { validateProxyRequest } from '../../../src/http/request-validation.ts';
import { pathAmbiguity } from '../../../src/http/request-target.ts';
import { encodeBodyEnd, encodeRequestHead } from '../../../src/http/request-writer.ts';
import {
  codingBeforeChunks,
  parseFieldLine,
  parseStatusLine,
  responseHead,
} from '../../../src/http/response-framing.ts';
import { validateResponse } from '../../../src/http/response-validation.ts';
import { encodeLastResponse, encodeRefusal, encodeResponseHead } from '../../../src/http/response-writer.ts';
import { validateTrailers } from '../../../src/http/trailers.ts';
import { agreesCompression, offeredExtensions } from '../../../src/http/websocket-extensions.ts';
import { websocketUpgrade } from '../../../src/http/websocket-upgrade.ts';
import { painted } from '../../../src/cli/terminal/terminal-stream.ts';
import { harmlessText, jsonLine, printableText } from '../../../src/cli/terminal/text-table.ts';
import { hasCutNote } from '../../../src/api/cut-note.ts';
import { literalPattern, mayAdmitAny } from '../../../src/cli/policy/path-template.ts';
import { checkAddress, cidrContains, classifyAddress } from '../../../src/net/address-guard.ts';
import { http2FieldObject } from '../../../src/net/http2-fields.ts';
import { checkOriginCertificate } from '../../../src/net/origin-certificate.ts';
import { parseProblem } from '../../../src/net/websocket-refusal.ts';
import { otherResource } from '../../../src/policy/copy-source.ts';
import { isDoctorPath } from '../../../src/policy/granted-policy.ts';
import { networkCovers, parseAddress, parseNetwork } from '../../../src/policy/network.ts';
import { selectPath } from '../../../src/policy/path-prefix.ts';
import { malformedResponse } from '../../../src/http/response-framing.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { printable as printableLine } from '../../../src/protocol/printable.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { tableOf } from '../../gateway/support/searched.ts';
import { bothWays, latin1, type GrowthCases } from './growth-case.ts';

const destination = { scheme: 'https', host: 'a.test.example', port: 443 } as const;
const limits = {
  ...defaultLimits,
  headBytesMax: 1 << 22,
  connectHeadBytesMax: 1 << 22,
  headersCountMax: 1 << 18,
  accessReasonCharactersMax: 1 << 22,
};
const rules = {
  malformed: 'request_malformed',
  tooLarge: 'head_too_large',
  countMax: limits.headersCountMax,
  bytesMax: limits.headBytesMax,
  lowerCaseNames: false,
} as const;

const ofFields = (
  fields: Iterable<readonly [string, string]>,
  more: Partial<RequestHead> = {},
): RequestHead => ({
  method: 'GET',
  destination,
  path: '/',
  query: '',
  headers: new HeaderList(fields),
  httpVersion: '1.1',
  ...more,
});
const list = (text: string): HeaderList => new HeaderList(fieldsOf(text));
const fieldsOf = (text: string): readonly (readonly [string, string])[] =>
  text.split('\n').flatMap((name) => (name === '' ? [] : [[name, '1'] as const]));
const rawOf = (text: string): readonly string[] => fieldsOf(text).flat();
const access = { depth: 'request', ...ofFields([]) } as const;
const graphqlTools = { parser: await loadGraphqlParser(), sha256: () => '' };
const idPlaces = { isRoot: () => true, paths: [['a', 'a', 'b']] };
const graphqlAccess = { ...access, destination, method: 'POST', path: '/', query: '' };
const graphqlRule = {
  queries: ['a'],
  mutations: [],
  subscriptions: [],
  input: undefined,
  introspection: false,
  names: undefined,
  depthMax: 1,
  aliasesMax: 1,
  costMax: 1,
  batch: false,
  uploads: false,
  webSocket: true,
  ids: undefined,
  persisted: [],
};
const table = tableOf('canary-0123456789');
const placeholder = 'placeholder-0123456789';
/** Each is tried, whatever the one before it throws. */
const each = (...reads: readonly (() => unknown)[]): void => {
  for (const read of reads) {
    try {
      read();
    } catch {
      // It is refused.
    }
  }
};

const cursorSigner = { signText: () => new Uint8Array(64) };

export const textCases: GrowthCases = {
  'requests of the admin API': {
    pieces: ['/', '/v1', 'a', '%41', '?', '&a', '&', '=', ',', '"a",', ' '],
    read: (text) =>
      each(
        () => routeOf('GET', text),
        () => routeOf('GET', `/v1/exchanges/${text}`),
        () => readQuery(new URLSearchParams(text), adminRoutes.exchanges.query),
        () => readQuery(new URLSearchParams(text), undefined),
        () => etagMatches(text, '"a"'),
        () => requireMatch(text, {}),
        () => bearerToken(text),
        () => cookieOf(`a=${text}`, 'a'),
        () => openCursor(cursorSigner, `sealed.${text}`),
        () => sealCursor(cursorSigner, text),
        () => personOf({ iss: text, sub: text, name: text, email: text, groups: [text] }, 'groups'),
        () => isConsolePage(text),
        () => placeOfCursor(text, () => Promise.resolve({ ms: 0, id: '' })),
        () => isOwnHost(text, { address: '::1', port: 0, names: [text] }, 1),
        () => knownAddresses(text),
      ),
  },
  'names of hosts': {
    pieces: ['a', 'a.', '.', '-', ':', '[', '1', '%41'],
    read: (text) =>
      each(
        () => parseAuthority(text),
        () => parseAuthority(`[${text}]:1`),
        () => isAddressLiteral(text),
        () => sameHost(text, text),
        () => isPublicSuffix(text, 'all'),
        () => principalIdOf(text, text),
        () => digitsAtEnd(text),
        () => splitNumber(text, '.'),
        () => retryAfterSecondsOf(503, new HeaderList([['retry-after', text]])),
        () => checkOriginCertificate('a.test', { subjectaltname: text }),
      ),
  },
  addresses: {
    pieces: ['1', '1.', ':', '0:', 'ffff', '::', '/'],
    read: (text) =>
      each(
        () => parseIpv4(text),
        () => parseIpv6(text),
        () => canonicalAddress(text),
        () => plainAddress(text),
        () => sourceKey(text),
        () => classifyAddress(text),
        () => checkAddress(text, [], new Set()),
        () => cidrContains('10.0.0.0/8', text),
        () => parseAddress(text),
        () => parseNetwork(text),
        () => networkCovers('10.0.0.0/8', text),
      ),
  },
  'names of a certificate': {
    pieces: ['DNS:a', ', ', '"', '\\', ',', '.'],
    read: (text) => checkOriginCertificate('a.test', { subjectaltname: text }),
  },
  'who sent it': {
    pieces: ['for=1', ',', ';', '"', '=', '[', ' '],
    read: (text) =>
      each(
        () => senderAddress('192.0.2.1', { forwarded: [text], xForwardedFor: [] }, () => true),
        () => senderAddress('192.0.2.1', { forwarded: [], xForwardedFor: [text] }, () => true),
      ),
  },
  'a text that is shown': {
    pieces: ['a', '\0', 'é', '"', '\u202e', '\\'],
    read: (text) =>
      each(
        () => printable(text),
        () => printableLine(text),
        () => printableText(text),
        () => harmlessText(text),
        () => painted({ hasColors: true, hasLinks: true, hasProgress: true }, 'bad', text),
        () => jsonLine(text),
        () => unwritable(text),
        () => hasCutNote(text),
        () => literalPattern(text),
      ),
  },
  'the value of a field': {
    pieces: [' ', '\t', 'a', ',', ';', '=', '"'],
    read: (text) =>
      each(
        () => isToken(text),
        () => fieldLine('a', text),
        () => fieldLine(text, 'a'),
        () => cgiName(text),
        () => fieldKey(text),
        () => parseContentLength(text),
        () => codingBeforeChunks([text]),
        () => offeredExtensions([text]),
        () => agreesCompression([`permessage-deflate;${text}`]),
        () => grpcTypeOf(`application/grpc${text}`, '2'),
        () => bordersOf(text, 'a.test'),
        () => hasParts(text),
        () => envelopeFormOf(text, 'a.test'),
        () => isDecodable(text),
        () => foreignCharset(`text/plain;${text}`),
        () => parseDateTime(text),
        () => listMembers(new HeaderList([['a', text]]), 'a'),
        () => isOfferedWebSocket(text.split(',')),
      ),
  },
  'the text of a refusal': {
    pieces: ['a', '%', 'é', '\n'],
    read: (text) => grpcDenial({ code: 'policy_denied', message: text, traceId: '' }, 'application/grpc'),
  },
  'lines of a head': {
    pieces: [' ', '\t', 'a', ':', 'HTTP/1.1 200 '],
    read: (text) =>
      each(
        () => parseStatusLine(`HTTP/1.1 200 ${text}`),
        () => parseStatusLine(text),
        () => parseFieldLine(`a:${text}`, []),
        () => parseFieldLine(text, []),
      ),
  },
  'lists of fields': {
    pieces: ['a\n', 'x_b\n', 'cookie\n', 'connection\n', ':path\n', 'te\n', 'content-length\n'],
    read: (text) =>
      each(
        () => parseFields(rawOf(text), rules),
        () => requestFraming(list(text), '1.1', undefined),
        () => list(text).filter(endToEnd(list(text), 'request_malformed')),
        () => list(text).filter(forwardable(list(text))),
        () => takePseudoHeaders(rawOf(text)),
        () => joinCookies(rawOf(text)),
        () => pseudoField(rawOf(text), ':path'),
        () => http2FieldObject(rawOf(text)),
        () => scrubFields(list(text), [table]),
        () => messageCoding(list(text)),
        () => withoutDigests(list(text)),
        () => withoutForeign(ofFields(fieldsOf(text)), { headers: ['authorization'], parameters: ['key'] }),
        () => signedHeaderNames(ofFields(fieldsOf(text))),
        () =>
          websocketUpgrade({ method: 'GET', fields: list(text), httpVersion: '1.1', protocol: undefined }),
      ),
  },
  'fields of a response': {
    pieces: ['a\n', 'connection\n', 'keep-alive\n', 'content-length\n', 'transfer-encoding\n', 'trailer\n'],
    read: (text) =>
      each(
        () =>
          responseHead({ status: 200, httpVersion: '1.1' }, rawOf(text), {
            method: 'GET',
            isStrict: false,
            fault: malformedResponse,
          }),
        () => validateResponse({ status: 200, rawHeaders: rawOf(text), requestMethod: 'GET', limits }),
        () => validateTrailers(rawOf(text), 'response', limits),
        () => validateTrailers(rawOf(text), 'request', limits),
        () => encodeResponseHead(200, fieldsOf(text)),
        () => encodeLastResponse(200, fieldsOf(text), text),
        () => encodeRefusal(malformedResponse(text), 502, text),
        () => encodeBodyEnd(rawOf(text)),
        () => encodeRequestHead(ofFields(fieldsOf(text)), 'none', {}),
      ),
  },
  'values of a response': {
    pieces: ['a', ',', ' timeout', '=', '5', ';'],
    read: (text) =>
      each(
        ...['connection', 'keep-alive', 'content-length', 'transfer-encoding', 'upgrade'].map(
          (name) => () =>
            responseHead({ status: 200, httpVersion: '1.1' }, [name, text], {
              method: 'GET',
              isStrict: false,
              fault: malformedResponse,
            }),
        ),
      ),
  },
  'a body of JSON': {
    pieces: ['{"a":', '[', '"', '\\u00e9', 'x', ',', '1', '}', ']', 'é', '.5e', ' '],
    read: (text) =>
      each(
        ...[
          text,
          `"${text}`,
          `{"method":"tools/call","params":{"name":"${text}"}}`,
          '['.repeat(9) + text,
        ].map((one) => () => {
          const octets = latin1(one);
          const body = readJson(octets, { depthMax: limits.jsonDepthMax, valuesMax: limits.jsonValuesMax });
          if (body instanceof UnreadableBody) return body.reason;
          const read = { kind: 'json', value: body.value, octets: octets.length } as const;
          return [
            jsonReadings(read, ['a', 'method']),
            mcpMessageOf(body.value, ofFields([['mcp-name', text]]).headers),
          ];
        }),
        () => jsonCodingOf(ofFields([['content-type', `application/json;${text}`]]).headers),
      ),
  },
  'a request of GraphQL': {
    pieces: [
      '{a',
      'a ',
      '{...F} fragment F on Q',
      'a(x:"',
      '"'.repeat(3),
      '[',
      '#',
      '\\n',
      '}',
      '...F ',
      '$v ',
      'é',
      '&query=',
    ],
    read: (text) =>
      each(
        ...[text, `{${text}`, `{b ${text}}`, `{a(x: "${text}`, `{...F} fragment F on Q {b ${text}`].map(
          (query) => () => {
            const members = new Map([['query', query]]);
            const body = { kind: 'json', value: new JsonObject(members), octets: query.length } as const;
            const request = readGraphql({ method: 'POST', query: '', body }, graphqlTools);
            if (request instanceof UnreadableBody) return request.reason;
            const asked = { text: query, variables: undefined };
            const learned = idsIn(body.value, asked, [idPlaces], graphqlTools.parser);
            return [
              learned,
              operationsText(request),
              graphqlRemedy('r', graphqlRule, { ...graphqlAccess, graphql: request }),
            ];
          },
        ),
        () => readGraphql({ method: 'GET', query: `?query=${text}`, body: { kind: 'none' } }, graphqlTools),
      ),
  },
  'patterns for what a workload names': {
    pieces: ['a', 'aa*', '*', 'É', '/'],
    read: (text) => [matchesText('*a*aab', text, unmeasured), matchesAnyCase('*A*b', text, unmeasured)],
  },
  'options of a push': {
    pieces: ['a', 'aa*', '*', 'merge_request.', '/'],
    read: (text) => {
      const pattern = GitOptionPattern.parse('merge_request.*a*aab');
      assert.ok(typeof pattern !== 'string');
      return [pattern.matches(text), pattern.matchesAnyCase(text), optionsText([text])];
    },
  },
  'paths and parameters': {
    pieces: ['/', 'a', '%2e', '&', '=', '+', '%', ';', '.'],
    read: (text) =>
      each(
        () =>
          validateProxyRequest({
            method: 'GET',
            target: `http://a.test/${text}`,
            rawHeaders: ['host', 'a.test', 'a', text],
            httpVersion: '1.1',
            limits,
          }),
        () => mayAdmitAny('/:a+', [`/${text}`]),
        () => hiddenFault(`/${text}`),
        () => pathAmbiguity(`/${text}`),
        () => decodeParameter(text),
        () => octetAt(text, text.length - 3),
        () => withParameter(`?${text}`, 'a', 'b'),
        () => isDoctorPath(`/${text}`),
        () => selectPath(`/${text}`, new Map(), () => undefined),
        () => gitFacts(ofFields([], { path: `/${text}/git-upload-pack` })),
        () => withoutForeign(ofFields([], { query: `?${text}` }), { headers: [], parameters: ['a', 'key'] }),
      ),
  },
  'a copy source': {
    pieces: ['/', 'a', '.', '://', '%2F', ':', '?'],
    read: (text) =>
      each(
        ...(['bucket', 'url', 'filesystem', 'path-or-url'] as const).map(
          (form) => () => otherResource(text, { form, method: 'GET' }, access),
        ),
      ),
  },
  'a placeholder': {
    pieces: ['a', ' ', placeholder, '/', '=', '&', ':'],
    read: (text) => {
      const head = ofFields(
        [
          ['authorization', `Basic ${text}`],
          ['a', text],
        ],
        { path: `/${text}`, query: `?${text}` },
      );
      each(
        () => hasPlaceholder(head, placeholder),
        () => substitutePlaceholder(head, placeholder, new Secret('secret')),
      );
    },
  },
  'what a client signed': {
    pieces: ['/', 'a', ',', ' ', 'SignedHeaders=', ';'],
    read: (text) => {
      const fields: readonly (readonly [string, string])[] = [
        ['authorization', `AWS4-HMAC-SHA256 Credential=a/20200101/r/s/aws4_request, SignedHeaders=${text}`],
        ['x-amz-content-sha256', text],
        ['x-amz-trailer', text],
      ];
      each(() => awsClaimOf(ofFields(fields)));
      void signedPayload(
        ofFields(fields),
        { region: 'r', service: 's3' },
        { body: undefined, held: new HeldBodies(limits) },
      ).catch(() => undefined);
    },
  },
  'a policy that a workload wrote': {
    pieces: ['- {name: a, hosts: b.test}\n', '*.', 'a', '/*', '[', '{a: ', '- ', '\n', ', c.test', '"'],
    // No longer one is read.
    read: (whole) => {
      const text = whole.slice(0, defaultLimits.childPolicyBytesMax);
      each(
        () => readNarrowing('s', text, 'request_malformed'),
        () => parseNarrowing({ file: 'policy', text: `rules:\n${text}` }),
        () => parseNarrowing({ file: 'policy', text: `rules: [{name: a, hosts: [${text}]}]` }),
        () =>
          parseNarrowing({ file: 'policy', text: `rules: [{name: a, hosts: b.test, paths: "/${text}"}]` }),
      );
    },
  },
  tokens: {
    pieces: ['a', '.', '"', '{', '"a":', '\\', '[', ':'],
    read: (text) => {
      const whole = { name: 'a', code: 'token_invalid', bytesMax: 1 << 22 } as const;
      const segment = Buffer.from(`{"a":"${text}"}`).toString('base64url');
      each(
        () => splitToken(text, whole),
        () => splitToken(`${segment}.${segment}.AA`, whole),
        () => hasDuplicateMember(JSON.stringify({ a: [text] })),
        () => hasDuplicateMember(`{${text}}`),
      );
    },
  },
  'bodies of JSON': {
    pieces: ['a', '"', '{', '\\u0061', '[', ','],
    read: (text) =>
      each(
        () => parseAccessRequest(JSON.stringify({ host: 'a.test', reason: text }), limits),
        () =>
          parseAccessRequest(
            JSON.stringify({ url: `https://a.test/${text.slice(0, 4000)}`, reason: 'a' }),
            limits,
          ),
        () => parseAccessRequest(text, limits),
        () => parseEnrolRequest({ [text]: text }),
        () => childRequestOf(JSON.stringify({ policy: text, confined: true })),
        () => childRequestOf(text),
        () => childOfferOf(`{"id":"${text}"}`),
        () => childEndOf(JSON.stringify({ error: { code: text, message: text } })),
        () => parseProblem(latin1(JSON.stringify({ error: text, message: text }))),
        () => parseProblem(latin1(text)),
      ),
  },
  'what a collector says of a batch': {
    pieces: ['\n', '\x08', '\0', '\x12\x01a', '\x0b', '\xff'],
    read: (text) => refusedItems(latin1(text)),
  },
  'a message of syslog': {
    pieces: ['a', ']', '"', '\\', '\n', 'é', '\u2028', '\ud800'],
    read: (text) =>
      syslogFrame(
        {
          v: 1,
          id: 'a',
          time: '2030-01-01T00:00:00.000Z',
          kind: 'exchange',
          traceId: 'a',
          verdict: 'deny',
          host: text,
          method: text,
          action: text,
        },
        text,
        { facility: 13, hostname: text, processId: 1, structuredDataId: 'a@1' },
      ),
  },
  'a traceparent': {
    pieces: ['0', 'a', '-', '00-', '\0'],
    read: (text) => readTraceparent(text),
  },
  'a message that another system sends for a person': {
    pieces: ['v1,', ' ', 'AAAA', 'payload=', '&', '%7B', '{', '"', '1'],
    read: (text) => {
      for (const format of ['webhook', 'slack'] as const)
        try {
          const headers = {
            'webhook-id': 'a',
            'webhook-timestamp': '0',
            'webhook-signature': text,
            'x-slack-request-timestamp': '0',
            'x-slack-signature': text,
          };
          readCallback(
            { headers, body: Buffer.from(text) },
            { name: 'a', format, secret: 'A'.repeat(32) },
            0,
          );
        } catch {
          // It has no right signature.
        }
      isSignedBy(new Uint8Array(24), { id: text, timestamp: 0, body: text }, text);
    },
  },
  'a Retry-After of an admin API': {
    pieces: ['1', ' ', 'Fri, ', ':', 'GMT', '31 Dec 9999 '],
    read: (text) => readRetryAfter(text, 0),
  },
  'a stream of events of an admin API': {
    pieces: ['data: a', '\n', '\r', '\r\n', ':', 'id: a', 'data', ' ', '\n\n'],
    read: (text) => {
      bothWays(text, () => {
        const lines = new EventLines();
        return (octets) => lines.push(octets);
      });
    },
  },
  'a format of metrics': {
    pieces: ['a', ',', ';', ' ', 'q=', 'application/openmetrics-text;q=0'],
    read: (text) => metricsFormat(text),
  },
  'a body whose values are left out': {
    pieces: ['"', '"a":', '{', '}', '[', ',', ' ', '\\', 'é', '"a":{"b":['],
    read: (text) =>
      redactBody({ bytes: new Uint8Array(Buffer.from(text)), type: 'application/json', coding: undefined }, [
        'a',
      ]),
  },
  'a form whose values are left out': {
    pieces: ['a', '=', '&', '%61', '+', '%', 'a=b&'],
    read: (text) =>
      redactBody(
        {
          bytes: new Uint8Array(Buffer.from(text)),
          type: 'application/x-www-form-urlencoded',
          coding: undefined,
        },
        ['a'],
      ),
  },
  'members of a stored event': {
    pieces: ['\\', '"', '\\"', '{', '[', ',', 'a'],
    read: (text) => jsonFields(Buffer.from(`{"a":"x","rule":${text}`), new FieldNames(['rule'])),
  },
  'an event of the audit': {
    pieces: ['a', '"', 'é', '\0'],
    read: (text) =>
      boundedEventJson(
        {
          v: 1,
          id: 'a',
          time: '2030-01-01T00:00:00Z',
          kind: 'exchange',
          traceId: 'a',
          sessionId: 'a',
          principal: 'a',
          verdict: 'deny',
          path: text,
          message: text,
          details: { a: text },
        },
        2048,
      ),
  },
};
