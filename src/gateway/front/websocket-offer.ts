// Whether a client is offered WebSockets over HTTP/2 (RFC 8441).

/**
 * By its ALPN list, which has the protocol that it likes best first (RFC 7301 §3.1). Browsers put `h2` there, and take the offer;
 * so do programs that speak nothing else. Node's fetch and WebSocket put `http/1.1` first: over HTTP/2 an open WebSocket does not keep Node 26 from
 * ending, and without the offer it opens one over HTTP/1.1.
 */
export function isOfferedWebSocket(alpn: readonly string[]): boolean {
  const http2 = alpn.indexOf('h2');
  const http1 = alpn.indexOf('http/1.1');
  return http2 !== -1 && (http1 === -1 || http2 < http1);
}
