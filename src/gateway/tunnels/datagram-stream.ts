// A stream of mode `udp`: one flow of datagrams to one host and port, by a rule with `scheme: udp`. One decision, one socket, one event.

import { parseAuthority } from '../../http/authority.ts';
import type { Destination } from '../../http/destination.ts';
import type { AllowDecision } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import { openDatagramSocket } from '../datagrams/datagram-socket.ts';
import { DatagramRelay, type DatagramPort } from '../datagrams/datagram-relay.ts';
import { requireAudit } from '../exchange/exchange.ts';
import type { ExchangeRecord } from '../exchange/exchange-record.ts';
import { confirmDecision, denied } from '../exchange/confirm-decision.ts';
import { accountsOf, ownerOf, spendFor } from '../exchange/spending-accounts.ts';
import { connectDecision, type Scene } from './stream-scene.ts';

export async function serveDatagrams(scene: Scene, record: ExchangeRecord): Promise<void> {
  const { port, parts } = scene;
  const { datagrams } = port;
  if (datagrams === undefined)
    throw new ProxyError('protocol_denied', 'datagrams are not agreed for this tunnel');
  const destination = { ...parseAuthority(port.fields.authority), scheme: 'udp' } as const;
  record.reached(destination);
  record.asked({ protocol: 'udp' });
  parts.loops?.check(destination, port.fields.via);
  const decision = connectDecision(scene, destination);
  record.decided(decision, { policyVersion: parts.policy().version });
  if (decision.effect === 'deny') throw denied(decision);
  await carry({ scene, record, datagrams, destination, decision });
}

interface AllowedFlow {
  readonly scene: Scene;
  readonly record: ExchangeRecord;
  readonly datagrams: DatagramPort;
  readonly destination: Destination;
  readonly decision: AllowDecision;
}

async function carry({ scene, record, datagrams, destination, decision }: AllowedFlow): Promise<void> {
  const { port, principal, parts } = scene;
  record.keep();
  const { sessionId } = principal;
  const owner = ownerOf(principal);
  requireAudit(parts, sessionId);
  using flow = parts.datagramFlows.open(owner, parts.clock());
  const spendBytes = await spendFor(accountsOf(principal, decision), (account, counted) =>
    parts.budgets.admit(account, counted, parts.clock()),
  );
  const request = {
    destination,
    addresses: decision.addresses,
    exit: decision.exit,
    principalId: principal.id,
    sessionId,
  };
  const chosen = await parts.dialer.choose(request);
  const socket = await openDatagramSocket(chosen, request);
  record.dialled({ address: chosen.address });
  const { absence } = port;
  const { limits, clock } = parts;
  const names = decision.dns;
  const relay = new DatagramRelay({
    socket,
    port: datagrams,
    flow,
    names,
    spendBytes,
    absence,
    limits,
    clock,
  });
  const access = { depth: 'connect', destination } as const;
  const release = parts.live.add({ principal, access, decision, end: (error) => relay.close(error) });
  port.duplex.once('close', () => relay.close()).resume();
  // It can have been closed while the flow was made ready.
  if (port.duplex.destroyed) relay.close();
  try {
    // From here on a change of the policy ends it.
    confirmDecision({ access, decision }, principal, parts);
    port.accept();
    const fault = await relay.ended;
    const { sentBytes, receivedBytes, ...counts } = relay.counts;
    record.noted({ datagrams: counts });
    record.sent(sentBytes);
    record.received(receivedBytes);
    record.succeeded();
    // That it was quiet is how a flow ends: UDP has no other end.
    if (fault !== undefined && fault.code !== 'timeout') record.cutShort(fault);
    record.ended();
    if (fault === undefined) port.duplex.end();
    else port.reset(fault);
  } finally {
    release();
    relay.close();
  }
}
