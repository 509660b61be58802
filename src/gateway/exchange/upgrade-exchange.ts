// An exchange that asks to switch to WebSocket: the same steps, then bytes both ways until either side ends.
// Over HTTP/2 it comes as an extended CONNECT (RFC 8441); towards the origin it is HTTP/1.1's Upgrade
// wherever the origin speaks that.

import { isServedHere } from './own-host.ts';
import { createHash, randomBytes } from 'node:crypto';
import type { ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { HeaderList } from '../../http/header-list.ts';
import { validateResponse } from '../../http/response-validation.ts';
import { agreesCompression, offeredExtensions } from '../../http/websocket-extensions.ts';
import type { GraphqlSocketProtocol } from '../../understand/graphql-socket.ts';
import { closeCode } from '../../net/websocket-frame.ts';
import { PlaceholderMessages, type SoughtInMessages } from '../credentials/request/placeholder-messages.ts';
import { encodeResponseHead } from '../../http/response-writer.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { type ClientExchange, throwIfGone } from './client-exchange.ts';
import { confirmAtDispatch } from './confirm-decision.ts';
import { idLearner } from './learn-ids.ts';
import { captureOf } from './body-capture.ts';
import { admit, forwardRequest, responseRoom } from './exchange.ts';
import type { ExchangeScene } from './exchange-scene.ts';
import type { LeakWatch } from './leak-watch.ts';
import { refuse } from './refusal.ts';
import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import { ExchangeRecord } from './exchange-record.ts';
import type { ForwardRequest, UpgradeResult } from '../forward/forwarder.ts';
import { filteredPackage } from './package-filter.ts';
import { readsMessages } from './list-filter.ts';
import { type ChainOptions, ResponseChain } from './response-chain.ts';
import type { SearchedValues } from '../scrub/response-scrubber.ts';
import { scrubFields } from '../scrub/scrub-fields.ts';
import type { SpendBytes } from '../forward/metered-stream.ts';
import { WebSocketScrubber } from '../scrub/websocket-scrubber.ts';
import { OperationGuard } from './operation-guard.ts';
import { agreedProtocol, SocketOperations, type SocketOperationsOptions } from './socket-operations.ts';
import { ToldMessages } from './told-messages.ts';
import { type PassageRun, WebSocketPassage } from './websocket-passage.ts';

/** How the client's side is told that the protocol was switched. */
interface UpgradeClient {
  readonly client: ClientExchange;
  readonly socket: Duplex;
  switched(headers: HeaderList): void;
  /** Bytes that came behind the request's head. */
  readonly head: Buffer;
}

export interface UpgradeSocket {
  readonly socket: Duplex;
  readonly head: Buffer;
  /** What was written by the client's exchange, and not by the socket, leaves before all else. */
  readonly flush: () => void;
}

/** HTTP/1.1: the server gave the socket away with the `upgrade` event. */
export function runUpgrade(
  client: ClientExchange,
  scene: ExchangeScene,
  parts: ExchangeParts,
  { socket, head, flush }: UpgradeSocket,
): Promise<void> {
  const stopWatching = endWithClient(socket, parts.limits);
  const switched = (headers: HeaderList): void => {
    stopWatching();
    // An interim response may wait.
    flush();
    const fields = [['connection', 'Upgrade'], ['upgrade', 'websocket'], ...headers] as const;
    socket.write(encodeResponseHead(101, fields), 'latin1');
  };
  return run({ client, socket, head, switched }, scene, parts).finally(stopWatching);
}

/**
 * Nothing reads the socket before the response, so that the end of a client that gave up would be seen with that only. An
 * response that comes soon is still for it: programs exist that send a request and their end at once. What the client sends
 * stays where it is. Gives what ends this.
 */
function endWithClient(socket: Duplex, { closeTimeoutMs }: Limits): () => void {
  let timer: NodeJS.Timeout | undefined;
  const onReadable = (): void => {
    if (socket.readableLength === 0) socket.read();
  };
  const onEnd = (): void => {
    timer = setTimeout(() => socket.destroy(), closeTimeoutMs);
  };
  socket.on('readable', onReadable).once('end', onEnd);
  return () => {
    clearTimeout(timer);
    socket.off('readable', onReadable).off('end', onEnd);
  };
}

/** HTTP/2: the stream itself becomes the connection. */
export function runHttp2Upgrade(
  client: ClientExchange,
  scene: ExchangeScene,
  parts: ExchangeParts,
  stream: ServerHttp2Stream,
): Promise<void> {
  // RFC 8441 §5 has no key and no Sec-WebSocket-Accept; a client that sends a key all the same (the WebSocket of Node 26) wants one.
  const asked = HeaderList.fromRaw(client.rawHeaders).has('sec-websocket-key');
  const switched = (headers: HeaderList): void => {
    client.sendHead({ status: 200, headers: asked ? headers : headers.without('sec-websocket-accept') });
  };
  return run({ client, socket: stream, head: Buffer.alloc(0), switched }, scene, parts);
}

async function run(upgrade: UpgradeClient, scene: ExchangeScene, parts: ExchangeParts): Promise<void> {
  const { client } = upgrade;
  const { limits } = parts;
  const record = new ExchangeRecord(parts.audit, 'exchange', scene.principal, parts.clock());
  record.keep();
  let ended: ProxyError | undefined;
  let origin: Duplex | undefined;
  let chain: ResponseChain | undefined;
  const noResponse = new AbortController();
  let release = (): void => undefined;
  try {
    const onRefused = (error: ProxyError): void => void (ended = error);
    const handshake = await openingHandshake(client, scene, parts, { record, refuse: onRefused });
    const { admitted, request } = handshake;
    ({ chain } = handshake);
    const closing = new Closing();
    release = parts.live.add({
      principal: scene.principal,
      access: admitted.access,
      decision: admitted.decision,
      ...(admitted.decision.readsOperations === true ? { partsUnder: admitted.basis.policy.version } : {}),
      end: (error) => {
        ended = error;
        // Before its response there is still room for one that says why.
        if (origin === undefined) noResponse.abort();
        else if (!closing.close(error)) {
          client.abort(error);
          origin.destroy(error);
        }
      },
    });
    // From here on a change of the policy ends it.
    await confirmAtDispatch(admitted, scene.principal, parts);
    throwIfGone(client);
    const signal = AbortSignal.any([request.signal, noResponse.signal]);
    const result = await parts.forwarder.upgrade({ ...request, signal }, 'websocket', chain.receiver);
    if (result.socket === undefined) {
      await chain.end();
      record.succeeded(result.protocol);
      return;
    }
    result.socket.on('error', () => undefined);
    if (ended !== undefined) {
      result.socket.destroy();
      throw ended;
    }
    origin = result.socket;
    record.switched(result.status, result.protocol);
    const operations = { scene, parts, admitted };
    await connectBoth({ upgrade, result, origin, record, limits, closing, operations, ...handshake });
    // The policy ended what it had allowed; there is nobody left to tell but the audit.
    if (ended !== undefined) record.refused(ended);
  } catch (error) {
    // What broke is the consequence of that.
    refuse(client, asProxyError(ended ?? chain?.relay.harmless(error) ?? error), record);
  } finally {
    release();
    if (origin === undefined) chain?.told(parts.clock());
    chain?.[Symbol.dispose]();
    // A response that is refused leaves nobody who would end it.
    origin?.destroy();
    record.ended();
  }
}

interface OpeningHandshake {
  readonly admitted: Admitted;
  /** For a response that is no switch, which comes as any other. */
  readonly chain: ResponseChain;
  readonly request: ForwardRequest;
  /** What messages are searched for. */
  readonly searched: SearchedValues | undefined;
  /** Where what the client sends is searched. */
  readonly watch: LeakWatch | undefined;
  /** Each message of the client is judged. */
  readonly isRead: boolean;
  /** Credentials whose placeholder may stand in a message of the client. */
  readonly sought: readonly SoughtInMessages[];
  readonly key: string;
  readonly spendBytes: Admitted['spendBytes'];
  readonly spendOut: Admitted['spendOut'];
}

/** What goes to the origin, and how its response is taken. @throws ProxyError request_malformed */
async function openingHandshake(
  client: ClientExchange,
  scene: ExchangeScene,
  parts: ExchangeParts,
  { record, refuse: onRefused }: Pick<ChainOptions, 'record' | 'refuse'>,
): Promise<OpeningHandshake> {
  const asked = await admit(client, scene, parts, record);
  const admitted = { ...asked, capture: captureOf(asked, scene.principal, parts) };
  const { validated, injected, spendBytes, spendOut, watch, decision } = admitted;
  if (validated.upgrade === undefined)
    throw new ProxyError('request_malformed', 'only websocket can be upgraded to');
  if (isServedHere(validated.head.destination, parts.credentials))
    throw new ProxyError('request_malformed', 'the gateway itself speaks no WebSocket');
  const { searched } = injected;
  const end = (error: ProxyError): void => {
    onRefused(error);
    client.abort(error);
  };
  const learner = await idLearner(admitted, scene.principal.sessionId, parts.ids);
  const sought = await parts.credentials.inMessages(decision.inject, parts.clock());
  // Of messages, and of what stands between their frames.
  const room = responseRoom(scene, parts, searched, 2);
  const made = { admitted, record, room, learner, end, refuse: onRefused };
  const chain = ResponseChain.open(client, scene, parts, made);
  using owned = new DisposableStack();
  const { screen } = owned.use(chain);
  const request = { ...forwardRequest(client, scene, parts, { admitted, record, screen }), body: undefined };
  const isRead = decision.readsOperations === true;
  const isSearched = searched !== undefined || watch !== undefined || isRead || sought.length > 0;
  const headers = handshakeFields(request.head.headers, isSearched);
  const key = headers.first('sec-websocket-key') ?? '';
  const sent = { ...request, head: { ...request.head, headers } };
  owned.move();
  return { admitted, chain, request: sent, searched, watch, isRead, sought, key, spendBytes, spendOut };
}

/**
 * An extended CONNECT has no key; HTTP/1.1 needs one. The client's own is kept: it checks what fits it. Of extensions
 * those go on whose frames can be told from what is none, and none where messages are searched.
 */
function handshakeFields(headers: HeaderList, isSearched: boolean): HeaderList {
  const extensions = isSearched ? undefined : offeredExtensions(headers.all('sec-websocket-extensions'));
  const kept = headers.without('sec-websocket-extensions');
  const offered = extensions === undefined ? kept : kept.with('Sec-WebSocket-Extensions', extensions);
  return offered.has('sec-websocket-key')
    ? offered
    : offered.with('Sec-WebSocket-Key', randomBytes(16).toString('base64'));
}

/** How the policy ends a WebSocket that stands: in the protocol's words, once it speaks that protocol. */
class Closing {
  #close: ((error: ProxyError) => void) | undefined;

  open(close: (error: ProxyError) => void): void {
    this.#close = close;
  }

  /** False before there is anything to close. */
  close(error: ProxyError): boolean {
    this.#close?.(error);
    return this.#close !== undefined;
  }
}

interface Switched {
  readonly chain: ResponseChain;
  readonly upgrade: UpgradeClient;
  readonly result: UpgradeResult;
  /** Sec-WebSocket-Key as the origin got it. */
  readonly key: string;
  readonly origin: Duplex;
  /** What may not come back. */
  readonly searched: SearchedValues | undefined;
  readonly watch: LeakWatch | undefined;
  readonly record: ExchangeRecord;
  readonly spendBytes: SpendBytes | undefined;
  /** Pays for what the client sends. */
  readonly spendOut: SpendBytes | undefined;
  readonly limits: Limits;
  readonly closing: Closing;
  readonly request: ForwardRequest;
  readonly isRead: boolean;
  readonly sought: readonly SoughtInMessages[];
  readonly operations: Pick<SocketOperationsOptions, 'scene' | 'parts' | 'admitted'>;
}

/** Lets the frames of both sides pass until one of them ends, or the gateway does. */
async function connectBoth(switched: Switched): Promise<void> {
  const { upgrade, result, origin, searched, watch, record, limits, closing, request } = switched;
  const { rawHeaders, status } = result;
  const { spendBytes, spendOut } = switched;
  const { isCompressed } = acceptSwitch(switched);
  requireUnread(switched.operations.admitted);
  const protocol = protocolOf(switched);
  const { headers } = validateResponse({ status, rawHeaders, requestMethod: 'GET', upgrade: 'websocket' });
  const scrubber = searched === undefined ? undefined : new WebSocketScrubber(searched);
  const fields = searched === undefined ? headers : scrubFields(headers, searched.tables);
  upgrade.switched(switched.chain.screen?.switched(fields) ?? fields);
  const passage = new WebSocketPassage({
    client: upgrade.socket,
    origin,
    isCompressed,
    limits,
    absence: request.absence,
    abort: (error) => upgrade.client.abort(error),
  });
  closing.open((error) => passage.close(closeCode.policyViolation, error));
  let unfit: ProxyError | undefined;
  const end = (fault: ProxyError): void => {
    unfit ??= fault;
    passage.close(closeCode.policyViolation, fault);
  };
  const guard = watch?.webSocketGuard(end);
  const judged = protocol === undefined ? undefined : judgedMessages(switched, protocol, end);
  const early = { client: upgrade.head, origin: result.head ?? Buffer.alloc(0) };
  const placed = placedIn(switched);
  const bytes = await passage.run({ early, spendBytes, spendOut, scrubber, guard, judged, placed });
  record.scrubbed(scrubber?.replaced ?? 0);
  if (bytes.fault !== undefined) record.cutShort(bytes.fault);
  record.sent(bytes.fromClient);
  record.received(bytes.fromOrigin);
  if (unfit !== undefined) record.refused(unfit);
  if (passage.malformed !== undefined) record.failed(passage.malformed);
}

/** Last of all that looks at messages of the client: nobody else sees the secrets. */
function placedIn({ sought, record, operations }: Switched): PlaceholderMessages | undefined {
  if (sought.length === 0) return undefined;
  const { injected, decision } = operations.admitted;
  const names = new Set(injected.names);
  return new PlaceholderMessages(sought, (name) => {
    names.add(name);
    const offered = decision.inject.map(({ credential }) => credential);
    record.injected({ names: [...names], stripped: [] }, offered);
  });
}

/** Undefined: nobody reads what comes on it. @throws ProxyError origin_malformed */
function protocolOf({ result, isRead }: Switched): GraphqlSocketProtocol | undefined {
  if (!isRead) return undefined;
  return agreedProtocol(HeaderList.fromRaw(result.rawHeaders).all('sec-websocket-protocol'));
}

function judgedMessages(
  { operations, record, limits }: Switched,
  protocol: GraphqlSocketProtocol,
  onEnd: (fault: ProxyError) => void,
): NonNullable<PassageRun['judged']> {
  const told = new ToldMessages();
  const { traceId } = record;
  const judges = new SocketOperations({
    ...operations,
    protocol,
    traceId,
    say: (text) => told.say(text),
    isOver: () => guard.isOver,
  });
  const guard: OperationGuard = new OperationGuard({
    judge: async (text) => await judges.judge(text),
    onEnd,
    messageBytesMax: limits.inspectBodyBytesMax,
    held: operations.parts.held,
    sessionId: operations.scene.principal.sessionId,
  });
  return { guard, told };
}

/** RFC 6455 §4.2.2 */
const acceptGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The origin has switched to what was asked for, and says so itself. @throws ProxyError origin_malformed */
function acceptSwitch({ result, key, searched, watch, isRead, sought }: Switched): {
  readonly isCompressed: boolean;
} {
  const fields = HeaderList.fromRaw(result.rawHeaders);
  const accept = createHash('sha1')
    .update(key + acceptGuid)
    .digest('base64');
  if (fields.all('sec-websocket-accept').join() !== accept)
    throw new ProxyError(
      'origin_malformed',
      'The response of the origin is refused: its Sec-WebSocket-Accept does not fit the key.',
    );
  const isCompressed = agreesCompression(fields.all('sec-websocket-extensions'));
  if (isCompressed && (searched !== undefined || watch !== undefined || isRead || sought.length > 0))
    throw new ProxyError(
      'origin_malformed',
      'The response of the origin is refused: it compresses, which was not offered, so that messages cannot be searched.',
    );
  return { isCompressed };
}

/** What a rule has read of responses would come unread on a WebSocket. @throws ProxyError origin_malformed */
function requireUnread({ access, decision, promised }: Admitted): void {
  const isRead =
    decision.rewrite?.response !== undefined ||
    promised !== undefined ||
    filteredPackage(decision) !== undefined ||
    readsMessages(access, decision);
  if (isRead)
    throw new ProxyError(
      'origin_malformed',
      'The response of the origin is refused: it switches to WebSocket, where its rule has responses read before they go on.',
    );
}
