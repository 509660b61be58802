// Vectors that we read otherwise than llhttp, and why we may.

import type { Deviations } from '../suite.ts';

export const llhttpDeviations: readonly Deviations[] = [
  {
    reason:
      'the relay hands any method and target of visible octets on; the gateway, which reads by llhttp, refuses it',
    cases: [
      'request/invalid: HTTP protocol and ANNOUNCE method',
      'request/invalid: Invalid method',
      'request/uri: Disallow UTF-8 in URI path in strict mode',
    ],
  },
  {
    reason: 'a CONNECT has no body (RFC 9110 §9.3.6): one that claims it would hide the start of the tunnel',
    cases: ['request/method: CONNECT with body'],
  },
  {
    reason: 'it is another protocol: ICE, RTSP, HTTP/0.9',
    cases: [
      'request/method: SOURCE request with ICE',
      'request/method: OPTIONS request with RTSP',
      'request/method: ANNOUNCE request with RTSP',
      'request/sample: No HTTP version',
      'response/sample: RTSP response',
      'response/sample: ICE response',
      'response/sample: HTTP version 0.9',
    ],
  },
  {
    reason:
      'lines of a head that end with LF alone are taken (docs/reference/protocols.md, responses of old origins)',
    cases: [
      'response/invalid: Only LFs present and no body',
      'response/invalid: Only LFs present',
      'response/sample: No carriage ret',
    ],
  },
  {
    reason: 'an empty line before a response is none of RFC 9112 (§2.2 has it before requests alone)',
    cases: [
      'response/connection: HTTP 304 with Content-Length',
      'response/connection: HTTP 100 first, then 400',
      'response/pipelining: Should parse multiple events',
      'response/sample: Response starting with CRLF',
    ],
  },
  {
    reason: 'octets behind a response that ends its connection are left out (RFC 9112 §9.2)',
    cases: [
      'response/connection: HTTP/1.1 with keep-alive disabled and 204 status',
      'response/connection: HTTP/1.1 with keep-alive disabled, content-length',
    ],
  },
  {
    reason:
      'a coding behind `chunked`, or an unknown one without it, is read by some as chunks and by some to the end of the connection',
    cases: [
      'response/transfer-encoding: `chunked` before other transfer-encoding',
      'response/transfer-encoding: multiple transfer-encoding where chunked is not the last one',
      'response/transfer-encoding: `chunkedchunked` transfer-encoding does not enable chunked enconding',
    ],
  },
];
