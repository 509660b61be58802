// Readers of what clients without an agent send, of what comes in the clear in their place, and of datagrams.

import { DnsGate } from '../../../src/gateway/datagrams/dns-gate.ts';
import { readDnsQuery, readDnsResponse, refusedDns } from '../../../src/gateway/datagrams/dns-message.ts';
import { exposedTokens } from '../../../src/gateway/proxy/exposed-tokens.ts';
import { basicPassword, proxyToken } from '../../../src/gateway/proxy/proxy-credentials.ts';
import { tokenDigest } from '../../../src/gateway/sessions/proxy-sessions.ts';
import { parseProxyRequest } from '../../../src/http/proxy-head.ts';
import { ProxyRequestReader } from '../../../src/http/proxy-head-reader.ts';
import { SocksServer } from '../../../src/http/socks-server.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { bothWays, latin1, tried, type GrowthCases } from './growth-case.ts';

const limits = {
  ...defaultLimits,
  headBytesMax: 1 << 20,
  // What a head of another method passes on its way.
  connectHeadBytesMax: 1 << 8,
  headersCountMax: 1 << 20,
};

export const proxyCases: GrowthCases = {
  'a head that a proxy reads whole': {
    pieces: ['a: b\r\n', 'a', ' ', '\r\n'],
    read: (text) => {
      const head = `GET http://a.test/ HTTP/1.1\r\n${text}`;
      bothWays(head, () => {
        const reader = new ProxyRequestReader(limits);
        return (bytes) => reader.push(bytes);
      });
      tried(() => parseProxyRequest(latin1(head), limits));
    },
  },
  'what a client shows to a proxy': {
    pieces: ['YWFh', 'a', ' ', '.', '=', 'Basic '],
    read: (text) => {
      for (const value of [text, `Basic ${text}`, `Bearer ${text}`]) tried(() => proxyToken([value]));
      basicPassword(text);
      tokenDigest(text);
    },
  },
  'tokens in the clear': {
    pieces: ['eyJ', 'eyJ.', 'eyJ.a.b ', 'basic YTpi ', ' ', '\r\n', 'user-agent:', 'a'],
    read: (text) => exposedTokens(latin1(text)),
  },
  'a query of DNS in a datagram': {
    pieces: ['\x01a', '\x3f', '\x00', '\xc0\x0c', '\x01a\x00\x00\x01\x00\x01'],
    read: (text) => {
      const octets = latin1(`\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00${text}`);
      const gate = new DnsGate([[{ kind: 'suffix', suffix: 'a' }]]);
      gate.query(octets);
      gate.response(octets);
      readDnsQuery(octets);
      readDnsResponse(octets);
      refusedDns(octets, { id: 7, name: 'a', type: 1, key: '', end: octets.length });
    },
  },
  'a conversation of SOCKS': {
    pieces: ['\x05\x01\x00', '\x05', '\xff', 'a', '\x00'],
    read: (text) => {
      for (const takesLogIn of [true, false])
        bothWays(`\x05\x02\x00\x02${text}`, () => {
          const server = new SocksServer(takesLogIn);
          return (bytes) => server.push(bytes);
        });
    },
  },
};
