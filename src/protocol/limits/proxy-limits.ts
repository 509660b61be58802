// The listener for clients without an agent, and the tokens that they show there.

import { fixedRow, row } from './limit-row.ts';

export const proxyLimits = {
  proxyConnectionsMax: row(
    8_192,
    'limit_exceeded',
    'Connections to the proxy listener at a time. Further ones are closed unread.',
  ),
  proxyStreamsPerSessionMax: row(
    1_024,
    'stream_limit',
    'Connections to the proxy listener, and streams of HTTP/2 there, that are open for one session: an eighth of all connections.',
  ),
  proxyStrangersMax: row(
    4_096,
    'limit_exceeded',
    'Connections to the proxy listener that have not shown a proxy token. It is never more than a quarter of the descriptors, whatever is set here.',
  ),
  proxyStrangersPerSourceMax: row(
    1_024,
    'limit_exceeded',
    'Such connections from one address (IPv6: /64). All tools of a container begin theirs from one. Behind a balancer, see `trustedProxies`.',
  ),
  proxyRefusalsMax: fixedRow(
    4,
    'limit_exceeded',
    'Responses 407 on one connection, which stays open for the next attempt. Clients that ask first and log in behind it need one.',
  ),
  proxyBeginningsMax: fixedRow(
    5,
    'store_unavailable',
    'Attempts to begin the session of a token. Several gateways may begin at once, and whoever loses looks again.',
  ),
  proxyTokensKeptMax: fixedRow(
    10_000,
    'limit_exceeded',
    'Proxy tokens that are known without asking the store. Beyond it, the one that was not used for longest is looked up again.',
  ),
  proxyTokenNetworksMax: fixedRow(
    32,
    'usage',
    'Networks that a proxy token names. A client sends it each time.',
  ),
  exposedTokensMax: fixedRow(
    4,
    'limit_exceeded',
    'Tokens that are looked for in what a connection sends in the clear. A client sends one.',
  ),
};
