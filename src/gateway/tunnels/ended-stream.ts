// A stream whose protocol the gateway ends by rule: what that may do is bound here to the one decision, with its budget, its audit and its end.

import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';

import type { Destination } from '../../http/destination.ts';
import type { DialResult } from '../../net/dialer.ts';
import { deadlineWith } from '../../net/link-absence.ts';
import type { AllowDecision } from '../../policy/decision.ts';
import type { ProtocolEnd } from '../../policy/protocol-rule.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { TerminalSize } from '../captured/recording-form.ts';
import { withoutReason } from '../credentials/source-fault.ts';
import type {
  EndDial,
  EndedConnection,
  EndFacts,
  EndKey,
  EndOutcome,
  EndRecording,
  RelayThrough,
  SshFacts,
} from '../databases/protocol-end.ts';
import { confirmDecision } from '../exchange/confirm-decision.ts';
import { requireAudit } from '../exchange/exchange.ts';
import type { ExchangeRecord } from '../exchange/exchange-record.ts';
import { requireGranted } from '../exchange/granted-credentials.ts';
import { operatorDetail } from '../exchange/refusal.ts';
import { accountsOf, leaseSessionOf, ownerOf, spendFor } from '../exchange/spending-accounts.ts';
import type { SpendBytes } from '../forward/metered-stream.ts';
import { LastWords } from './last-words.ts';
import { isEndOfGateway, pipeBoth } from '../forward/pipe-both.ts';
import { type Scene, sameHost } from './stream-scene.ts';

interface Ended {
  readonly scene: Scene;
  /** Of scheme `tcp`. */
  readonly destination: Destination;
  readonly decision: AllowDecision;
  readonly end: ProtocolEnd;
  readonly record: ExchangeRecord;
}

/** What has happened of it by now. */
interface Progress {
  /** Why the session, or what allowed it, ended first. */
  ended?: ProxyError;
  /** Since bytes pass both ways. */
  parting?: LastWords;
  isLoggedIn: boolean;
  /** What it was logged in with, which has to last as long as it does. */
  readonly inUse: DisposableStack;
  release(): void;
}

/** @throws ProxyError where the client was told nothing */
export async function serveEnded(ended: Ended): Promise<void> {
  const { scene, decision, end, record } = ended;
  const { principal, parts } = scene;
  record.reached({ scheme: 'tcp' });
  record.asked({ protocol: end.protocol });
  record.decided(decision, { policyVersion: parts.policy().version });
  record.keep();
  requireAudit(parts, principal.sessionId);
  const spendBytes = await spendFor(accountsOf(principal, decision), (account, counted) =>
    parts.budgets.admit(account, counted, parts.clock()),
  );
  const progress: Progress = {
    isLoggedIn: false,
    inUse: new DisposableStack(),
    release: () => undefined,
  };
  const over = (): void => {
    progress.release();
    progress.inUse.dispose();
    if (!progress.isLoggedIn) offers(decision, record);
  };
  try {
    const outcome = await parts.protocolEnds.serve(connectionOf(ended, spendBytes, progress));
    over();
    note(progress.ended === undefined ? outcome : { kind: 'refused', error: progress.ended }, record);
    record.ended();
  } catch (error) {
    over();
    throw error;
  }
}

function connectionOf(ended: Ended, spendBytes: SpendBytes | undefined, progress: Progress): EndedConnection {
  const { scene, destination, decision, end, record } = ended;
  const { port, principal, parts } = scene;
  let known: EndFacts = {};
  let knownOfSsh: SshFacts = {};
  return {
    client: port.duplex,
    end,
    host: destination.host,
    port: destination.port,
    rule: decision.rule.name,
    sessionId: principal.sessionId,
    ownerId: ownerOf(principal),
    limits: parts.limits,
    startDeadline: (ms, onTimeout) => deadlineWith(port.absence, ms, onTimeout),
    terminate: async (stream, alpn) => await terminate(scene, destination, { stream, alpn }),
    login: async () => await loginOf(ended, progress),
    key: async () =>
      await keyOf(ended, () => {
        progress.isLoggedIn = true;
      }),
    hold: (octets) => parts.held.reserve(principal.sessionId, octets),
    dial: async (request) => {
      // One that was dialled before has ended by now.
      progress.release();
      const dialed = await dial(ended, request);
      progress.release = holds(ended, dialed, progress);
      return dialed;
    },
    noted: (facts) => {
      known = { ...known, ...facts };
      record.noted({ database: known });
    },
    notedSsh: (facts) => {
      knownOfSsh = { ...knownOfSsh, ...facts };
      record.noted({ ssh: knownOfSsh });
    },
    record: async (size) => await recordingOf(ended, size),
    gitSeen: (facts) => {
      record.gitSeen(facts);
    },
    relay: async (client, server, through) => {
      await relay(ended, { spendBytes, progress }, { client, server, through });
    },
  };
}

interface Relayed {
  readonly client: Duplex;
  readonly server: Duplex;
  readonly through: RelayThrough;
}

async function relay(
  { scene, record }: Ended,
  { spendBytes, progress }: { readonly spendBytes: SpendBytes | undefined; readonly progress: Progress },
  { client, server, through }: Relayed,
): Promise<void> {
  const { port, parts } = scene;
  const { throughClient, throughServer, beside } = through;
  const idle = { limits: parts.limits, name: 'blindIdleTimeoutMs', absence: port.absence } as const;
  const parting = new LastWords(client, through, scene);
  progress.parting = parting;
  const throughs = { throughFirst: [throughClient], throughSecond: [throughServer] };
  const piped = { spendBytes, idle, ...throughs, parting, beside };
  endsWith(server, [client, port.duplex]);
  const bytes = await pipeBoth(client, server, piped).finally(() => {
    // Neither has an end of its own where a side broke off: what they hold for the session is let go of here.
    for (const one of [throughClient, throughServer]) one.destroy();
  });
  record.succeeded();
  if (bytes.fault !== undefined) record.cutShort(bytes.fault);
  record.sent(bytes.fromFirst);
  record.received(bytes.fromSecond);
}

/** A statement of a client that has gone would run on for nobody. Over TLS either may close without the other. */
function endsWith(server: Duplex, sides: readonly Duplex[]): void {
  for (const side of sides) {
    side.once('close', () => {
      const leave = (): void => void server.destroy();
      // What it sent before its end is still on its way, its goodbye above all.
      if (server.writableFinished || isEndOfGateway(side.errored)) leave();
      else server.once('finish', leave);
    });
  }
}

/** The rule has a credential that was not put to use. */
function offers({ inject }: AllowDecision, record: ExchangeRecord): void {
  const offered = inject.map(({ credential }) => credential);
  record.injected({ names: [], stripped: [] }, offered);
}

function note(outcome: EndOutcome, record: ExchangeRecord): void {
  switch (outcome.kind) {
    case 'served':
      record.passed();
      return;
    case 'silent':
      record.stayedSilent();
      return;
    case 'refused':
      record.refused(outcome.error, { operatorDetail: operatorDetail(outcome.error) });
  }
}

async function terminate(
  { port, principal, parts }: Scene,
  { host }: Destination,
  { stream, alpn }: { readonly stream: Scene['port']['duplex']; readonly alpn: readonly string[] },
) {
  const { socket, servername } = await parts.terminator.terminate(stream, {
    owner: principal.id,
    host,
    alpn,
    startDeadline: (ms, onTimeout) => deadlineWith(port.absence, ms, onTimeout),
  });
  // SNI is a claim as well; it must say the same as CONNECT.
  if (servername === undefined || sameHost(servername, host)) return socket;
  socket.destroy();
  throw new ProxyError(
    'authority_mismatch',
    `the connection was opened to ${host}, but its TLS asks for another name`,
    { claimed: { connect: host, sni: servername } },
  );
}

/** Invariant: a credential serves the connection that its own rule admitted, and no other. */
async function loginOf({ scene: { parts, principal }, decision, record }: Ended, progress: Progress) {
  const [injection] = decision.inject;
  if (injection === undefined)
    throw new ProxyError('credential_unavailable', `rule ${decision.rule.name} names no credential`);
  requireGranted(principal, [injection]);
  try {
    const login = await parts.credentials.login(injection.credential, {
      nowMs: parts.clock(),
      session: leaseSessionOf(principal),
    });
    record.injected({ names: [injection.credential], stripped: [] }, [injection.credential]);
    progress.isLoggedIn = true;
    // It may have ended meanwhile.
    if (login.hold !== undefined && !progress.inUse.disposed) progress.inUse.use(login.hold());
    const { username, password, placeholder } = login;
    return { username, password, placeholder, onRejected: () => login.onRejected(parts.clock()) };
  } catch (error) {
    throw withoutReason(error);
  }
}

/** Invariant: as `loginOf`. */
async function keyOf(
  { scene: { parts, principal }, decision, record }: Ended,
  shown: () => void,
): Promise<EndKey> {
  const [injection] = decision.inject;
  if (injection === undefined)
    throw new ProxyError('credential_unavailable', `rule ${decision.rule.name} names no credential`);
  requireGranted(principal, [injection]);
  try {
    const key = await parts.credentials.key(injection.credential, parts.clock());
    return {
      ...key,
      onShown: () => {
        record.injected({ names: [injection.credential], stripped: [] }, [injection.credential]);
        shown();
      },
      onRejected: () => key.onRejected(parts.clock()),
    };
  } catch (error) {
    throw withoutReason(error);
  }
}

/** What of a shell is kept beside the event, which says so from the beginning: it may be stored before its end. */
async function recordingOf({ scene, record }: Ended, size: TerminalSize): Promise<EndRecording> {
  const { principal, parts } = scene;
  if (parts.captured === undefined)
    throw new ProxyError('audit_unavailable', 'this gateway keeps no recordings of shells');
  const recording = await parts.captured.record(record.eventId, ownerOf(principal), size);
  const told = (): void => record.captured({ recording: recording.bytes, machine: hostname() });
  told();
  return {
    add: async (kind, chunk) => {
      await recording.add(kind, chunk);
      told();
    },
    resized: (changed) => recording.resized(changed),
    end: async () => {
      await recording.end();
      told();
    },
  };
}

async function dial({ scene, destination, decision, record }: Ended, request: EndDial): Promise<DialResult> {
  const { port, principal, parts } = scene;
  const tls = parts.ruleTrust.tlsOf(decision, undefined);
  const dialed = await parts.dialer.dial({
    // TLS begins where the protocol says so.
    destination: { ...destination, scheme: request.startTls === 'never' ? 'tcp' : 'https' },
    addresses: decision.addresses,
    exit: decision.exit,
    principalId: principal.id,
    sessionId: principal.sessionId,
    alpn: request.alpn,
    ...(request.startTls === 'never' ? {} : { startTls: request.startTls }),
    ...(tls === undefined ? {} : { tls }),
    ...(request.address === undefined ? {} : { address: request.address }),
    ...(port.fields.via === undefined ? {} : { via: port.fields.via }),
  });
  record.dialled(dialed);
  return dialed;
}

/** From here on the end of the session, or a change of the policy, ends both sides. */
function holds(
  { scene, destination, decision, record }: Ended,
  { socket }: DialResult,
  progress: Progress,
): () => void {
  const { port, principal, parts } = scene;
  const access = { depth: 'connect', destination } as const;
  const release = parts.live.add({
    principal,
    access,
    decision,
    end: (error) => {
      progress.ended = error;
      record.cutShort(error);
      const isTold = progress.parting?.begin(error) === true;
      socket.destroy(error);
      if (!isTold) port.reset(error);
    },
  });
  try {
    confirmDecision({ access, decision }, principal, parts);
    return release;
  } catch (error) {
    release();
    socket.destroy();
    throw error;
  }
}
