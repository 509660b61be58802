// One stream of a tunnel from its `open` to HTTP: classify, terminate TLS, hand to the front; or blind bytes by rule.

import type { Duplex } from 'node:stream';
import type { Destination } from '../../http/destination.ts';
import { parseAuthority } from '../../http/authority.ts';
import { peekFirstBytes } from '../../intercept/peek.ts';
import type { FirstBytes } from '../../intercept/peek.ts';
import { abortTls } from '../../intercept/tls-terminator.ts';
import type { StartDeadline } from '../../intercept/deadline.ts';
import { deadlineWith } from '../../net/link-absence.ts';
import { TunnelStream } from '../../net/tunnel-stream.ts';
import { defaultDenyName } from '../../policy/compiled-policy.ts';
import { rawRule } from '../../policy/raw-rule.ts';
import type { AllowDecision, Decision, Principal } from '../../policy/decision.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import { confirmDecision } from '../exchange/confirm-decision.ts';
import { operatorDetail } from '../exchange/refusal.ts';
import { accountsOf, ownerOf, spendFor } from '../exchange/spending-accounts.ts';
import { requireAudit } from '../exchange/exchange.ts';
import { ExchangeRecord } from '../exchange/exchange-record.ts';
import { isOfferedWebSocket } from '../front/websocket-offer.ts';
import { requireFieldValue } from '../forward/loop-guard.ts';
import { pipeBoth } from '../forward/pipe-both.ts';
import { serveDatagrams } from './datagram-stream.ts';
import { serveEnded } from './ended-stream.ts';
import { servePlain } from './plain-stream.ts';
import { connectDecision, sameHost, type Scene, type StreamParts, type StreamPort } from './stream-scene.ts';

/** In the order of preference. */
const supportedProtocols = ['h2', 'http/1.1'] as const;
/** Fatal alert unrecognized_name (RFC 8446 §6), as one plaintext TLS record. */
const unrecognizedNameAlert = Uint8Array.of(0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70);

/** Serves one stream; never throws. */
export async function handleStream(
  port: StreamPort,
  principal: Principal,
  parts: StreamParts,
): Promise<void> {
  const scene = { port, principal, parts };
  if (!admitStream(scene)) return;
  if (port.fields.mode === 'refusals') {
    tellRefusals(scene);
    return;
  }
  const record = new ExchangeRecord(parts.audit, 'stream', principal, parts.clock());
  record.reached({ host: port.fields.authority });
  try {
    if (record.overRate !== undefined) throw record.overRate;
    await route(scene, record);
  } catch (error) {
    // A stream that never became an exchange still leaves one event.
    const fault = asProxyError(error);
    const notes = { operatorDetail: operatorDetail(fault) };
    if (fault.code === 'cancelled' || fault.code === 'timeout') record.failed(fault, notes);
    else record.refused(fault, notes);
    record.ended();
    port.refuse(fault);
  }
}

/** No request of the workload's, which cannot choose the mode of a stream: so it has no event either. */
function tellRefusals({ port, principal, parts }: Scene): void {
  const told = parts.refusals.tell(principal.sessionId, port.duplex);
  if (told === undefined) {
    const reason = 'another stream of the session is being told already';
    port.refuse(new ProxyError('limit_exceeded', reason));
    return;
  }
  port.accept();
  port.duplex.resume();
  port.duplex.end(JSON.stringify(told));
}

/** Before anything is done for it: a flood of streams must not cost more than their refusals. */
function admitStream({ port, principal, parts }: Scene): boolean {
  const nowMs = parts.clock();
  try {
    parts.budgets.admitStream(ownerOf(principal), nowMs);
    return true;
  } catch (error) {
    const fault = asProxyError(error);
    if (fault.limit !== undefined) parts.onLimit?.(fault.limit);
    const refused = parts.budgets.takeRefusedStreams(ownerOf(principal), nowMs);
    if (refused !== undefined) {
      const record = new ExchangeRecord(parts.audit, 'stream', principal, nowMs);
      // Without the limit, which is counted above for each of them.
      record.refused(new ProxyError(fault.code, fault.message));
      record.noted({ refused });
      record.ended();
    }
    port.refuse(fault);
    return false;
  }
}

async function route(scene: Scene, record: ExchangeRecord): Promise<void> {
  const { port, principal, parts } = scene;
  const { mode, authority: claimed } = port.fields;
  requireFieldValue(port.fields.via);
  if (mode === 'http1' || mode === 'http2') {
    servePlain(scene, mode, record);
    return;
  }
  if (mode === 'udp') {
    await serveDatagrams(scene, record);
    return;
  }
  if (mode === 'proxy') {
    port.accept();
    serveHttp(scene, undefined, port.duplex, 'http/1.1 proxy');
    return;
  }
  const authority = parseAuthority(claimed);
  record.reached(authority);
  // Whatever the agent says is inside: of a connection that is passed blindly nothing else would be looked at.
  parts.loops?.check(authority, port.fields.via);
  const raw = connectDecision(scene, { ...authority, scheme: 'tcp' });
  port.accept();
  if (raw.effect === 'allow' && raw.handling === 'raw') {
    const destination = { ...authority, scheme: 'tcp' } as const;
    const { end } = raw;
    if (end === undefined) await blind(scene, destination, raw, record);
    else await serveEnded({ scene, destination, decision: raw, end, record });
    return;
  }
  const first = await peekFirstBytes(port.duplex, {
    // Server-first protocols would wait for ever.
    timeoutMs: parts.limits.headTimeoutMs,
    startDeadline: deadlineOf(port),
    limits: parts.limits,
  });
  await byFirstBytes({ scene, record, raw, principal }, authority, first);
}

interface Routing {
  readonly scene: Scene;
  readonly record: ExchangeRecord;
  /** The decision for raw TCP, whose rule explains a refusal. */
  readonly raw: Decision;
  readonly principal: Principal;
}

async function byFirstBytes(
  { scene, record, raw }: Routing,
  authority: { readonly host: string; readonly port: number },
  first: FirstBytes,
): Promise<void> {
  switch (first.kind) {
    case 'tls':
      await serveTls(scene, { ...authority, scheme: 'https' }, first, record);
      return;
    case 'http':
      serveHttp(scene, { ...authority, scheme: 'http' }, scene.port.duplex, 'http/1.1 cleartext');
      return;
    case 'ended':
      // Opened and closed without a byte, as port scans and health checks do: nothing was asked for.
      record.stayedSilent();
      record.ended();
      scene.port.duplex.end();
      scene.port.duplex.resume();
      return;
    case 'http2':
    case 'other':
    case 'silent':
      record.explainedBy(raw.rule.name, scene.parts.policy().version);
      throw new ProxyError(
        'protocol_denied',
        `${authority.host}:${String(authority.port)}: the connection is neither TLS nor HTTP/1.1, and ${rawRefusal(raw, authority)}`,
        { next: 'The operator of the gateway can add that rule. Trying another way in will be refused too.' },
      );
  }
}

/** A rule that denies was meant; else the operator is told the rule that is missing. */
function rawRefusal(
  { effect, rule }: Decision,
  { host, port }: { readonly host: string; readonly port: number },
): string {
  return effect === 'deny' && rule.name !== defaultDenyName
    ? `the rule ${rule.name} refuses raw TCP there`
    : `no rule allows raw TCP there; this one would: ${rawRule(host, port)}`;
}

async function serveTls(
  scene: Scene,
  destination: Destination,
  first: Extract<FirstBytes, { kind: 'tls' }>,
  record: ExchangeRecord,
): Promise<void> {
  const { port, parts } = scene;
  const { sni, alpn } = first.hello;
  record.reached({ scheme: 'https' });
  if (sni !== undefined && !sameHost(sni, destination.host)) {
    refuseName(scene, destination, sni, record);
    return;
  }
  const decision = connectDecision(scene, destination);
  if (
    decision.effect === 'allow' &&
    decision.handling === 'passthrough' &&
    !isOpened(decision, scene, first)
  ) {
    requireName(first, destination, decision, record);
    await blind(scene, destination, decision, record);
    return;
  }
  if (port.duplex instanceof TunnelStream) port.duplex.isCopiedAtOnce = true;
  // A denied destination is terminated as well: the denial can only be said inside TLS. Nothing is dialled for it.
  const terminated = await parts.terminator.terminate(port.duplex, {
    owner: scene.principal.id,
    host: destination.host,
    alpn: protocolsFor(alpn),
    startDeadline: deadlineOf(port),
  });
  const abort = (error: ProxyError): void => {
    abortTls(terminated.socket, error);
    port.reset(error);
  };
  const isHttp2 = terminated.alpn === 'h2';
  const served = {
    principal: scene.principal,
    destination,
    protocol: isHttp2 ? 'h2' : 'http/1.1',
    via: port.fields.via,
    absence: port.absence,
  };
  const connection = { scene: served, abort };
  if (isHttp2)
    parts.http2Front.serve(terminated.socket, {
      ...connection,
      isOfferedWebSocket: isOfferedWebSocket(alpn),
    });
  else parts.front.serve(terminated.socket, connection);
}

/** What is passed through has to say its name, in the open where the rule wants that. */
function requireName(
  { hello: { sni, ech } }: Extract<FirstBytes, { kind: 'tls' }>,
  { host }: Destination,
  { refusesEch, rule }: AllowDecision,
  record: ExchangeRecord,
): void {
  if (sni === undefined)
    throw new ProxyError('authority_mismatch', `${host} is passed through, which needs its name in SNI`);
  if (!ech || refusesEch !== true) return;
  record.explainedBy(rule.name);
  throw new ProxyError(
    'protocol_denied',
    `${host} is passed through, and rule ${rule.name} refuses a ClientHello that may hide another name (ech: refuse)`,
  );
}

/** Of `tls: auto` what may hide another name, or get a secret of the caller's home, does not pass unopened. */
function isOpened(
  { isAuto }: AllowDecision,
  { parts }: Scene,
  { hello: { sni, ech } }: Extract<FirstBytes, { kind: 'tls' }>,
): boolean {
  return isAuto === true && (sni === undefined || ech || parts.homes !== undefined);
}

/** Without a link nothing of the client can arrive. */
function deadlineOf({ absence }: StreamPort): StartDeadline {
  return (ms, onTimeout) => deadlineWith(absence, ms, onTimeout);
}

function protocolsFor(alpn: readonly string[]): readonly string[] {
  const common = supportedProtocols.filter((protocol) => alpn.includes(protocol));
  // A client that offers nothing of ours gets the alert for that (RFC 7301 §3.2).
  return common.length === 0 && alpn.length > 0 ? supportedProtocols : common;
}

/** SNI is a claim as well; it must say the same as CONNECT. The client gets the alert that TLS has for it. */
function refuseName({ port }: Scene, destination: Destination, sni: string, record: ExchangeRecord): void {
  record.refused(
    new ProxyError(
      'authority_mismatch',
      `the connection was opened to ${destination.host}, but its TLS asks for another name`,
      { claimed: { connect: destination.host, sni: sni } },
    ),
  );
  record.ended();
  port.duplex.end(unrecognizedNameAlert);
  port.duplex.resume();
}

function serveHttp(
  scene: Scene,
  destination: Destination | undefined,
  socket: Duplex,
  protocol: string,
): void {
  const abort = (error: ProxyError): void => {
    scene.port.reset(error);
  };
  scene.parts.front.serve(socket, {
    scene: {
      principal: scene.principal,
      destination,
      protocol,
      via: scene.port.fields.via,
      absence: scene.port.absence,
    },
    abort,
    refusalOf: scene.port.refusalOf,
  });
}

/** Passthrough and raw TCP: one decision, one dial to the checked address, bytes counted, one event. */
async function blind(
  scene: Scene,
  judged: Destination,
  decision: AllowDecision,
  record: ExchangeRecord,
): Promise<void> {
  const { port, principal, parts } = scene;
  // Whatever the bytes are, they are not ours to wrap: plain TCP.
  const destination = { ...judged, scheme: 'tcp' } as const;
  record.reached({ scheme: decision.handling === 'raw' ? 'tcp' : 'https' });
  record.asked({ protocol: decision.handling });
  record.decided(decision, { policyVersion: parts.policy().version });
  record.keep();
  const { sessionId } = principal;
  requireAudit(parts, sessionId);
  const spendBytes = await spendFor(accountsOf(principal, decision), (account, counted) =>
    parts.budgets.admit(account, counted, parts.clock()),
  );
  const dialed = await parts.dialer.dial({
    destination,
    addresses: decision.addresses,
    exit: decision.exit,
    principalId: principal.id,
    sessionId,
    ...(port.fields.via === undefined ? {} : { via: port.fields.via }),
  });
  record.dialled(dialed);
  const { socket } = dialed;
  const access = { depth: 'connect', destination: judged } as const;
  let ended: ProxyError | undefined;
  const release = parts.live.add({
    principal,
    access,
    decision,
    end: (error) => {
      ended = error;
      record.cutShort(error);
      socket.destroy(error);
      port.reset(error);
    },
  });
  try {
    // From here on a change of the policy ends it.
    confirmDecision({ access, decision }, principal, parts);
  } catch (error) {
    release();
    socket.destroy();
    throw error;
  }
  const idle = { limits: parts.limits, name: 'blindIdleTimeoutMs', absence: port.absence } as const;
  const bytes = await pipeBoth(port.duplex, socket, { spendBytes, idle }).finally(release);
  record.succeeded();
  if (bytes.fault !== undefined) record.cutShort(bytes.fault);
  if (ended !== undefined) record.refused(ended);
  record.sent(bytes.fromFirst);
  record.received(bytes.fromSecond);
  record.ended();
}
