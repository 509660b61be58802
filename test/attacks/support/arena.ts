// Where the cases are played: relay → tunnel → request path of the gateway → origins, all real, in one process.

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';

import { ClientTls } from '../../../src/agent/relay/client-tls.ts';
import { startRelay, type Relay } from '../../../src/agent/relay/relay.ts';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { DatagramFlows } from '../../../src/gateway/datagrams/datagram-flows.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { CredentialSet } from '../../../src/gateway/credentials/credential-set.ts';
import { ByProtocolForwarder } from '../../../src/gateway/forward/forward-by-protocol.ts';
import { RefusalCounts } from '../../../src/gateway/audit/refusal-counts.ts';
import { HttpFront } from '../../../src/gateway/front/http-front.ts';
import { Http2Front } from '../../../src/gateway/front/http2-front.ts';
import { PublishTimes } from '../../../src/gateway/packages/publish-times.ts';
import { SeenVersions } from '../../../src/gateway/packages/seen-versions.ts';
import { memoryFirstSeen } from '../../support/first-seen-store.ts';
import { LiveGrants } from '../../../src/gateway/policies/live-grants.ts';
import { RuleTrust } from '../../../src/gateway/forward/rule-trust.ts';
import { LearnedIds } from '../../../src/gateway/exchange/learned-ids.ts';
import { ListedTools } from '../../../src/gateway/exchange/listed-tools.ts';
import { ModelBudgets } from '../../../src/gateway/exchange/model-budgets.ts';
import { LlmPrices } from '../../../src/understand/llm-prices.ts';
import { SessionBudgets } from '../../../src/gateway/exchange/session-budgets.ts';
import { memoryBudgets } from '../../support/budget-store.ts';
import { handleStream } from '../../../src/gateway/tunnels/stream-handler.ts';
import type { StreamParts } from '../../../src/gateway/tunnels/stream-scene.ts';
import { ProtocolEnds } from '../../../src/gateway/tunnels/protocol-ends.ts';
import { TlsTerminator } from '../../../src/intercept/tls-terminator.ts';
import { createDialer } from '../../../src/net/dialer.ts';
import { createResolver } from '../../../src/net/resolver.ts';
import type { TunnelStream } from '../../../src/net/tunnel-stream.ts';
import { createEphemeralAuthority } from '../../../src/pki/certificate-authority.ts';
import { BlindHosts, blindHostsText } from '../../../src/protocol/blind-hosts.ts';
import type { PlainMode } from '../../../src/protocol/frame.ts';
import { HeldOctets, unreadBounds } from '../../../src/protocol/held-octets.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import { RecordingSink } from '../../gateway/support/recording-sink.ts';
import { compilePolicy, testPrincipal } from '../../gateway/support/request-path.ts';
import { startDnsServer, type DnsReply, type DnsServer } from '../../net/dns-server.ts';
import { tunnelPair, type TunnelPair } from '../../net/tunnel-pair.ts';
import { canary } from '../../support/canary.ts';
import { patienceMs } from '../../support/patience.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { tlsEndsInAgent } from '../../support/tls-end.ts';
import { readReply, type Reply } from './responses.ts';
import type { AttackOrigins } from './attack-origins.ts';
import { startGuardedOrigins } from './guarded-origins.ts';
import { allowedAddress, forbiddenAddress, startSentry, type Sentry } from './sentry.ts';

/** Certificates of all origins; made once, it costs nothing to share. */
const originAuthority = createTestAuthority();

/** What the workload holds in place of the credential `tool`. */
export const placeholder = 'placeholder-of-the-tool';

export interface TlsOptions {
  readonly sni?: string | undefined;
  readonly alpn?: readonly string[];
  readonly principal?: string;
  readonly tls?: ConnectionOptions;
}

export interface SendOptions extends TlsOptions {
  /** Audit events that the bytes must leave: one for each attempt that the gateway saw. */
  readonly events?: number;
  /** Leave the client's side open, for responses that end by themselves. */
  readonly keepOpen?: boolean;
  readonly deadlineMs?: number;
}

export interface ArenaOptions {
  readonly limits?: Partial<Limits>;
  /** Rules beside or instead of the usual ones. */
  readonly policy?: (ports: Ports) => string;
}

export interface Ports {
  readonly tls: number;
  readonly plain: number;
  readonly raw: number;
}

/** Rules of the cases: what is open, what is bounded by paths, what has a credential, what looks closed. */
export function usualPolicy({ tls, plain, raw }: Ports): string {
  const open = `addresses: ${allowedAddress}/32`;
  return `
rules:
  - { name: probe, hosts: probe.test, ports: ${tls}, ${open} }
  - { name: open, hosts: [allowed.test, b.allowed.test], ports: ${tls}, ${open} }
  - { name: cleartext, hosts: allowed.test, scheme: http, ports: ${plain}, ${open} }
  - { name: paths, hosts: paths.test, ports: ${tls}, methods: [GET, POST], paths: [/public/*, /public], ${open} }
  - { name: api, hosts: api.allowed.test, ports: [${tls}, ${raw}], inject: api, ${open} }
  - { name: tool, hosts: tool.test, ports: ${tls}, inject: tool, ${open} }
  - { name: raw, hosts: raw.test, ports: ${raw}, ${open} }
  - { name: wild, hosts: '*.wild.test', ports: ${tls}, ${open} }
  - { name: closed, hosts: [moving.test, 'metadata.google.internal'], ports: ${tls} }
`;
}

export class Arena implements AsyncDisposable {
  readonly audit: AuditEvent[] = [];
  readonly #sink: RecordingSink;
  /** The injected credential: may be in no byte that a client gets. */
  readonly secret = canary('attack');
  /** Every byte that any client got, decrypted, and whatever else must not hold the secret. */
  readonly received: Buffer[] = [];
  /** Audit events that must be there at the end. */
  attempts = 0;
  readonly origins: AttackOrigins;
  readonly sentry: Sentry;
  readonly dns: DnsServer;
  readonly parts: StreamParts;
  readonly caPem: string;
  /** Responses of the name server beside the usual ones. */
  readonly names = new Map<string, DnsReply | (() => DnsReply)>();
  readonly #relays = new Map<string, Promise<{ readonly relay: Relay; readonly pair: TunnelPair }>>();
  readonly #owned: AsyncDisposableStack;
  readonly #limits: Limits;
  readonly #clientTls: ClientTls;

  private constructor(built: Built) {
    this.origins = built.origins;
    this.sentry = built.sentry;
    this.dns = built.dns;
    this.#clientTls = new ClientTls({ limits: built.limits, gatewayHost: 'gateway.test' });
    this.caPem = `${built.caPem}${this.#clientTls.rootPem}`;
    this.#limits = built.limits;
    this.#owned = built.owned;
    for (const [name, reply] of built.names) this.names.set(name, reply);
    built.response.current = (name) => this.#resolve(name);
    this.audit = built.sink.events;
    this.#sink = built.sink;
    this.parts = built.parts(this.secret);
  }

  static async open(options: ArenaOptions = {}): Promise<Arena> {
    return new Arena(await build(options));
  }

  get ports(): Ports {
    return { tls: this.origins.tlsPort, plain: this.origins.plainPort, raw: this.origins.rawPort };
  }

  get limits(): Limits {
    return this.#limits;
  }

  /** `name:port` of the TLS origin. */
  at(name: string): string {
    return `${name}:${String(this.origins.tlsPort)}`;
  }

  /** `name:port` of the cleartext origin. */
  plainAt(name: string): string {
    return `${name}:${String(this.origins.plainPort)}`;
  }

  /** `name:port` of the origin that responds to raw bytes. */
  rawAt(name: string): string {
    return `${name}:${String(this.origins.rawPort)}`;
  }

  async pairOf(principal: string): Promise<TunnelPair> {
    return (await this.#relayOf(principal)).pair;
  }

  async relayPort(principal = 'alice'): Promise<number> {
    return (await this.#relayOf(principal)).relay.port;
  }

  /** A connection to the relay; what arrives on it counts as received by a client. */
  async dialRelay(principal = 'alice'): Promise<Socket> {
    const port = await this.relayPort(principal);
    const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => undefined);
    return socket;
  }

  /** Bytes to the relay, as any client of the container can send them. */
  async toRelay(
    bytes: string | Buffer,
    { events = 0, principal, keepOpen, deadlineMs }: SendOptions = {},
  ): Promise<Reply> {
    const socket = await this.dialRelay(principal);
    this.attempts += events;
    return this.#sendOn(socket, bytes, keepOpen, deadlineMs);
  }

  /** CONNECT through the relay. @throws if the response is not 200 */
  async connect(authority: string, principal?: string): Promise<Socket> {
    const socket = await this.dialRelay(principal);
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    let head = '';
    const onData = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', onData);
      if (head.startsWith('HTTP/1.1 200 ')) resolve(socket);
      else reject(new Error(`CONNECT ${authority}: ${head}`));
    };
    socket.on('data', onData);
    socket.once('close', () => reject(new Error(`CONNECT ${authority}: closed`)));
    return promise;
  }

  /** CONNECT and bytes without TLS. */
  async inTunnel(authority: string, bytes: string | Buffer, options: SendOptions = {}): Promise<Reply> {
    const socket = await this.connect(authority, options.principal);
    this.attempts += options.events ?? 1;
    return this.#sendOn(socket, bytes, options.keepOpen, options.deadlineMs);
  }

  /** CONNECT and a TLS handshake that verifies against the roots of gateway and session alone. */
  async tls(authority: string, options: TlsOptions = {}): Promise<TLSSocket> {
    const socket = await this.connect(authority, options.principal);
    const host = authority.slice(0, authority.lastIndexOf(':'));
    const name = 'sni' in options ? options.sni : host;
    const secured = connectTls({
      socket,
      ca: this.caPem,
      ...(name === undefined ? { checkServerIdentity: () => undefined } : { servername: name }),
      ...(options.alpn === undefined ? {} : { ALPNProtocols: [...options.alpn] }),
      ...options.tls,
    });
    const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
    secured.once('secureConnect', () => resolve(secured));
    secured.once('error', reject);
    secured.once('close', () => reject(new Error('closed in the handshake')));
    await promise;
    secured.on('error', () => undefined);
    return secured;
  }

  /** CONNECT, TLS, the bytes, and all that comes back. */
  async send(authority: string, bytes: string | Buffer, options: SendOptions = {}): Promise<Reply> {
    const socket = await this.tls(authority, options);
    this.attempts += options.events ?? 1;
    return this.#sendOn(socket, bytes, options.keepOpen, options.deadlineMs);
  }

  /** Something else that a client could read. */
  note(text: string | Buffer): void {
    this.received.push(Buffer.from(text));
  }

  /** Waits for that many events of anybody but the neighbour. */
  async events(count: number, deadlineMs = patienceMs): Promise<readonly AuditEvent[]> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const own = this.ownEvents;
      if (own.length >= count || performance.now() > deadline) return own;
      await nextTurn();
    }
  }

  get ownEvents(): readonly AuditEvent[] {
    return this.audit.filter((event) => event.principal !== 'issuer|neighbour');
  }

  /** Exchanges, WebSockets and raw streams that have not ended, the neighbour's too. */
  get openExchanges(): number {
    return this.#sink.openTotal;
  }

  /** Those of a principal alone. */
  openExchangesOf(principal = 'alice'): number {
    return this.#sink.openOf(testPrincipal(principal).sessionId);
  }

  get lastEvent(): AuditEvent | undefined {
    return this.ownEvents.at(-1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opening of this.#relays.values()) {
      const { relay, pair } = await opening;
      await relay.close();
      await pair[Symbol.asyncDispose]();
    }
    this.#clientTls[Symbol.dispose]();
    await this.#owned.disposeAsync();
  }

  async #sendOn(
    socket: Socket | TLSSocket,
    bytes: string | Buffer,
    keepOpen = false,
    deadlineMs = patienceMs,
  ): Promise<Reply> {
    const data = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    const reading = readReply(socket, deadlineMs);
    if (keepOpen) socket.write(data);
    else socket.end(data);
    const reply = await reading;
    this.received.push(reply.bytes);
    socket.destroy();
    return reply;
  }

  /** As an agent would have them that agreed with its gateway: all, but where the policy passes bytes on. */
  #plainModes(authority: string, principal: string): readonly PlainMode[] {
    if (!tlsEndsInAgent) return [];
    const policy = this.parts.policy();
    const patterns = policy.blindHosts(testPrincipal(principal));
    const hosts = new BlindHosts(blindHostsText(policy.version, patterns, this.#limits.controlFrameBytesMax));
    return hosts.covers(authority) ? [] : ['http1', 'http2'];
  }

  #resolve(name: string): DnsReply {
    const reply = this.names.get(name);
    return (typeof reply === 'function' ? reply() : reply) ?? 'nxdomain';
  }

  async #relayOf(principal: string): Promise<{ readonly relay: Relay; readonly pair: TunnelPair }> {
    const opening = this.#relays.get(principal) ?? this.#openRelay(principal);
    this.#relays.set(principal, opening);
    return await opening;
  }

  async #openRelay(principal: string): Promise<{ readonly relay: Relay; readonly pair: TunnelPair }> {
    const pair = await tunnelPair({
      limits: this.#limits,
      onStream: (stream) => void handleStream(portOf(stream), testPrincipal(principal), this.parts),
    });
    const tunnel = {
      isUp: true,
      whenUp: async () => undefined,
      openStream: (fields: Parameters<TunnelPair['agent']['openStream']>[0]) => pair.agent.openStream(fields),
      plainModes: (authority: string) => this.#plainModes(authority, principal),
    };
    const relay = await startRelay({ tunnel, host: '127.0.0.1', limits: this.#limits }, this.#clientTls);
    this.sentry.permit(relay.port);
    this.sentry.permit(pair.agentSocket.remotePort ?? 0);
    return { relay, pair };
  }
}

interface Built {
  readonly origins: AttackOrigins;
  readonly sentry: Sentry;
  readonly dns: DnsServer;
  readonly caPem: string;
  readonly limits: Limits;
  readonly sink: RecordingSink;
  readonly owned: AsyncDisposableStack;
  readonly names: ReadonlyMap<string, DnsReply>;
  readonly response: { current: (name: string) => DnsReply };
  parts(secret: string): StreamParts;
}

const openNames = [
  'probe.test',
  'allowed.test',
  'b.allowed.test',
  'paths.test',
  'api.allowed.test',
  'tool.test',
  'raw.test',
  'bad.test',
];
const closedNames = ['evil.test', 'moving.test', 'other.test', 'metadata.google.internal'];

async function build(options: ArenaOptions): Promise<Built> {
  await using stack = new AsyncDisposableStack();
  const limits = { ...defaultLimits, ...options.limits };
  const sentry = stack.use(startSentry());
  const origins = stack.use(await startGuardedOrigins(sentry, originAuthority));
  const response = { current: (_name: string): DnsReply => 'nxdomain' };
  const dns = stack.use(await startDnsServer((name) => response.current(name)));
  const ports = { tls: origins.tlsPort, plain: origins.plainPort, raw: origins.rawPort };
  const policy = compilePolicy((options.policy ?? usualPolicy)(ports), ['api', 'bob', 'tool', 'unpacked']);
  const authority = createEphemeralAuthority(Date.now());
  const terminator = new TlsTerminator({ issuer: authority, limits, clock: Date.now });
  const resolver = createResolver({ limits, servers: [dns.server], hostsFile: false });
  const dialer = createDialer({ resolver, trust: [originAuthority.caPem], limits });
  const forwarder = stack.use(new ByProtocolForwarder(dialer, limits));
  const sink = new RecordingSink();
  const names = new Map<string, DnsReply>([
    ...openNames.map((name) => [name, { ttl: 60, addresses: [allowedAddress] }] as const),
    ...closedNames.map((name) => [name, { ttl: 60, addresses: [forbiddenAddress] }] as const),
  ]);
  const parts = (secret: string): StreamParts => {
    const common = {
      policy: () => policy,
      credentials: new CredentialSet(
        {
          api: { kind: 'bearer', source: { env: 'T' } },
          bob: { kind: 'bearer', source: { env: 'BOB' } },
          unpacked: { kind: 'bearer', source: { env: 'T' }, scrub: { decode: true } },
          tool: {
            kind: 'placeholder',
            source: { env: 'T' },
            placeholder: { env: 'TOOL', value: placeholder },
          },
        },
        { T: secret, BOB: `${secret}-of-bob` },
      ),
      audit: sink,
      forwarder,
      limits,
      clock: Date.now,
      live: new LiveGrants(),
      budgets: new SessionBudgets(memoryBudgets(), { limits }),
      tools: new ListedTools(),
      ids: new LearnedIds(new HeldOctets(limits)),
      models: new ModelBudgets(memoryBudgets(), { prices: new LlmPrices([]), clock: Date.now }),
      held: new HeldOctets(limits),
      unread: new HeldOctets(limits, unreadBounds),
      publishTimes: new PublishTimes(limits, Date.now),
      seenVersions: new SeenVersions(memoryFirstSeen(), Date.now),
      ruleTrust: new RuleTrust(),
    };
    const front = new HttpFront(common);
    const http2Front = new Http2Front(common);
    const protocolEnds = new ProtocolEnds(limits, createSigningKey());
    owned.defer(() => {
      front.close();
      http2Front.close();
      terminator.close();
      protocolEnds.close();
    });
    return {
      ...common,
      front,
      http2Front,
      terminator,
      dialer,
      protocolEnds,
      datagramFlows: new DatagramFlows(limits),
      refusals: new RefusalCounts(),
    };
  };
  const owned = stack.move();
  return {
    origins,
    sentry,
    dns,
    caPem: authority.certificatesPem,
    limits,
    sink,
    owned,
    names,
    response,
    parts,
  };
}

function portOf(stream: TunnelStream): Parameters<typeof handleStream>[0] {
  stream.on('error', () => undefined);
  let accepted = false;
  return {
    duplex: stream,
    fields: stream.fields,
    allowsMode: () => true,
    accept: () => {
      accepted = true;
      stream.accept();
    },
    refuse: (error) => (accepted ? stream.reset(error) : stream.refuse(error)),
    reset: (error) => stream.reset(error),
  };
}

/** One turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 1);
  });
}

export { originAuthority };
