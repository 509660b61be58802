// A stream whose TLS the agent ended: the same checks as for one whose TLS ends here, then the same front.

import { parseAuthority } from '../../http/authority.ts';
import type { Destination } from '../../http/destination.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { PlainMode } from '../../protocol/frame.ts';
import type { ExchangeRecord } from '../exchange/exchange-record.ts';
import { isOfferedWebSocket } from '../front/websocket-offer.ts';
import { connectDecision, sameHost, type Scene } from './stream-scene.ts';

/** What the agent says of a failed handshake is a sentence. */
const saidCharactersMax = 300;

/** Everything that the agent says is a claim; a right follows from none of it. Throws what refuses the stream. */
export function servePlain(scene: Scene, mode: PlainMode, record: ExchangeRecord): void {
  const { port, principal, parts } = scene;
  const { authority: claimed, via, tlsVersion, alpnOffer = '' } = port.fields;
  if (!port.allowsMode(mode))
    throw new ProxyError('protocol_denied', `streams of mode ${mode} were not agreed for this tunnel`);
  const authority = parseAuthority(claimed);
  const destination = { ...authority, scheme: 'https' } as const;
  record.reached(destination);
  parts.loops?.check(authority, via);
  if (parts.loops?.isOwnName(authority.host) === true)
    throw new ProxyError('loop_detected', `${authority.host} is the gateway itself, which is no destination`);
  requireSameClaims(scene, mode, destination);
  requireOpened(scene, destination, record);
  port.accept();
  if (tlsVersion === undefined) {
    awaitFailure(scene, record);
    return;
  }
  const onAsked = tellBrokenTls(scene, record);
  const abort = (error: ProxyError): void => {
    port.reset(error);
  };
  const isHttp2 = mode === 'http2';
  const served = {
    principal,
    destination,
    protocol: isHttp2 ? 'h2' : 'http/1.1',
    via,
    absence: port.absence,
  };
  const connection = { scene: served, abort, onAsked };
  if (!isHttp2) parts.front.serve(port.duplex, connection);
  else
    parts.http2Front.serve(port.duplex, {
      ...connection,
      isOfferedWebSocket: isOfferedWebSocket(alpnOffer.split(' ')),
    });
}

/** SNI has to say the same as CONNECT, and the mode what ALPN agreed on, as where TLS ends here. */
function requireSameClaims({ port }: Scene, mode: PlainMode, { host }: Destination): void {
  const { sni, alpn } = port.fields;
  if (sni !== undefined && !sameHost(sni, host))
    throw new ProxyError(
      'authority_mismatch',
      `the connection was opened to ${host}, but its TLS asks for another name`,
      { claimed: { connect: host, sni } },
    );
  const isOfMode = mode === 'http2' ? alpn === 'h2' : alpn === undefined || alpn === 'http/1.1';
  if (!isOfMode) throw new ProxyError('protocol_denied', `a stream of mode ${mode} names another protocol`);
}

/** Where a rule takes the bytes as they are, opened ones are not what it is for. The agent is told of these hosts. */
function requireOpened(scene: Scene, destination: Destination, record: ExchangeRecord): void {
  // Most policies have no such rule, and two denials in words for each connection cost more than all else that is asked of it.
  if (scene.parts.policy().blindHosts(scene.principal).length === 0) return;
  for (const scheme of ['tcp', 'https'] as const) {
    const decision = connectDecision(scene, { ...destination, scheme });
    // Of `tls: auto` requests can be decided as well.
    if (decision.effect === 'deny' || decision.handling === 'intercept' || decision.isAuto === true) continue;
    record.explainedBy(decision.rule.name, scene.parts.policy().version);
    throw new ProxyError(
      'protocol_denied',
      `${destination.host} is passed through by rule ${decision.rule.name}, and its TLS was ended in the agent; open the connection again`,
    );
  }
}

/** TLS that broke before anything was asked for has no other event. What it gives lets go of the record, once something was. */
function tellBrokenTls({ port: { duplex } }: Scene, record: ExchangeRecord): () => void {
  let unasked: ExchangeRecord | undefined = record;
  duplex.once('error', (error: Error) => {
    if (unasked === undefined || !(error instanceof ProxyError) || error.code !== 'tls_handshake') return;
    if ('bytesRead' in duplex && duplex.bytesRead !== 0) return;
    unasked.refused(new ProxyError(error.code, error.message.slice(0, saidCharactersMax)));
    unasked.ended();
  });
  return () => {
    unasked = undefined;
  };
}

/** Without a version the handshake failed: the agent resets the stream at once, with the reason. Nothing else is served on it. */
function awaitFailure({ port, parts }: Scene, record: ExchangeRecord): void {
  const { duplex } = port;
  const late = new ProxyError('tls_handshake', 'the agent ended no TLS for the stream, and did not say why');
  const timer = setTimeout(() => {
    port.reset(late);
  }, parts.limits.lingerTimeoutMs);
  duplex.resume();
  let isTold = false;
  duplex.once('error', (error: Error) => {
    isTold = true;
    const { code, message } = error instanceof ProxyError ? error : late;
    const told = new ProxyError(
      code === 'timeout' ? code : 'tls_handshake',
      message.slice(0, saidCharactersMax),
    );
    if (code === 'timeout') record.failed(told);
    else record.refused(told);
    record.ended();
  });
  duplex.once('close', () => {
    clearTimeout(timer);
    if (isTold) return;
    record.stayedSilent();
    record.ended();
  });
}
