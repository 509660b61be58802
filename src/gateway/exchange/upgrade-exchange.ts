// An exchange that asks to switch to WebSocket: the same steps, then bytes both ways until either side ends.
// Over HTTP/2 it comes as an extended CONNECT (RFC 8441); towards the origin it is HTTP/1.1's Upgrade
// wherever the origin speaks that.

import { createHash, randomBytes } from 'node:crypto';
import type { ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { HeaderList } from '../../http/header-list.ts';
import { validateResponse } from '../../http/response-validation.ts';
import { agreesCompression, offeredExtensions } from '../../http/websocket-extensions.ts';
import { closeCode } from '../../net/websocket-frame.ts';
import { accessHost } from '../../policy/granted-policy.ts';
import { encodeResponseHead } from '../../http/response-writer.ts';
import { ProxyError, asProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { type ClientExchange, throwIfGone } from './client-exchange.ts';
import { confirmDecision } from './confirm-decision.ts';
import { admit, forwardRequest, responseRoom } from './exchange.ts';
import type { ExchangeScene } from './exchange-scene.ts';
import type { LeakWatch } from './leak-watch.ts';
import { refuse } from './refusal.ts';
import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import { ExchangeRecord } from './exchange-record.ts';
import type { ForwardRequest, UpgradeResult } from '../forward/forwarder.ts';
import { ResponseRelay } from './response-relay.ts';
import type { SearchedValues } from '../scrub/response-scrubber.ts';
import { scrubFields } from '../scrub/scrub-fields.ts';
import type { SpendBytes } from '../forward/metered-stream.ts';
import { WebSocketScrubber } from '../scrub/websocket-scrubber.ts';
import { WebSocketPassage } from './websocket-passage.ts';

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
  let relay: ResponseRelay | undefined;
  const noResponse = new AbortController();
  let release = (): void => undefined;
  try {
    const admitted = await admit(client, scene, parts, record);
    const handshake = openingHandshake(client, scene, parts, { admitted, record });
    ({ relay } = handshake);
    const closing = new Closing();
    release = parts.live.add({
      principal: scene.principal,
      access: admitted.access,
      decision: admitted.decision,
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
    confirmDecision(admitted, scene.principal, parts);
    throwIfGone(client);
    const { request } = handshake;
    const signal = AbortSignal.any([request.signal, noResponse.signal]);
    const result = await parts.forwarder.upgrade({ ...request, signal }, 'websocket', relay);
    if (result.socket === undefined) {
      await relay.end();
      record.succeeded(result.protocol);
      if (relay.status === 401) admitted.injected.onRejected(parts.clock());
      return;
    }
    result.socket.on('error', () => undefined);
    if (ended !== undefined) {
      result.socket.destroy();
      throw ended;
    }
    origin = result.socket;
    record.switched(result.status, result.protocol);
    await connectBoth({ upgrade, result, origin, record, limits, closing, ...handshake });
    // The policy ended what it had allowed; there is nobody left to tell but the audit.
    if (ended !== undefined) record.refused(ended);
  } catch (error) {
    // What broke is the consequence of that.
    refuse(client, asProxyError(ended ?? relay?.harmless(error) ?? error), record);
  } finally {
    release();
    relay?.[Symbol.dispose]();
    // A response that is refused leaves nobody who would end it.
    origin?.destroy();
    record.ended();
  }
}

interface OpeningHandshake {
  /** For a response that is no switch. */
  readonly relay: ResponseRelay;
  readonly request: ForwardRequest;
  /** What messages are searched for. */
  readonly searched: SearchedValues | undefined;
  /** Where what the client sends is searched. */
  readonly watch: LeakWatch | undefined;
  readonly key: string;
  readonly spendBytes: Admitted['spendBytes'];
  readonly spendOut: Admitted['spendOut'];
}

/** What goes to the origin, and how its response is taken. @throws ProxyError request_malformed */
function openingHandshake(
  client: ClientExchange,
  scene: ExchangeScene,
  parts: ExchangeParts,
  known: { readonly admitted: Admitted; readonly record: ExchangeRecord },
): OpeningHandshake {
  const { validated, injected, spendBytes, spendOut } = known.admitted;
  if (validated.upgrade === undefined)
    throw new ProxyError('request_malformed', 'only websocket can be upgraded to');
  if (validated.head.destination.host === accessHost)
    throw new ProxyError('request_malformed', 'the gateway itself speaks no WebSocket');
  const request = { ...forwardRequest(client, scene, parts, known), body: undefined };
  const { searched } = injected;
  const { watch } = known.admitted;
  const isSearched = searched !== undefined || watch !== undefined;
  const headers = handshakeFields(request.head.headers, isSearched);
  const key = headers.first('sec-websocket-key') ?? '';
  // Of messages, and of what stands between their frames.
  const room = responseRoom(scene, parts, searched, 2);
  const relay = new ResponseRelay({
    client,
    fail: (error) => {
      client.abort(error);
    },
    searched,
    quietMs: known.admitted.decision.scrub?.quietMs,
    decode: injected.decode,
    request: validated.head,
    limits: parts.limits,
    spendBytes,
    room,
    onStatus: (status) => known.record.responded(status),
  });
  const asked = { ...request, head: { ...request.head, headers } };
  return { relay, request: asked, searched, watch, key, spendBytes, spendOut };
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
}

/** Lets the frames of both sides pass until one of them ends, or the gateway does. */
async function connectBoth(switched: Switched): Promise<void> {
  const { upgrade, result, origin, searched, watch, record, limits, closing, request } = switched;
  const { rawHeaders, status } = result;
  const { spendBytes, spendOut } = switched;
  const { isCompressed } = acceptSwitch(switched);
  const { headers } = validateResponse({ status, rawHeaders, requestMethod: 'GET', upgrade: 'websocket' });
  const scrubber = searched === undefined ? undefined : new WebSocketScrubber(searched);
  upgrade.switched(searched === undefined ? headers : scrubFields(headers, searched.tables));
  const passage = new WebSocketPassage({
    client: upgrade.socket,
    origin,
    isCompressed,
    limits,
    absence: request.absence,
    abort: (error) => upgrade.client.abort(error),
  });
  closing.open((error) => passage.close(closeCode.policyViolation, error));
  let leak: ProxyError | undefined;
  const guard = watch?.webSocketGuard((fault) => {
    leak = fault;
    passage.close(closeCode.policyViolation, fault);
  });
  const early = { client: upgrade.head, origin: result.head ?? Buffer.alloc(0) };
  const bytes = await passage.run({ early, spendBytes, spendOut, scrubber, guard });
  record.scrubbed(scrubber?.replaced ?? 0);
  if (bytes.fault !== undefined) record.cutShort(bytes.fault);
  record.sent(bytes.fromClient);
  record.received(bytes.fromOrigin);
  if (leak !== undefined) record.refused(leak);
  if (passage.malformed !== undefined) record.failed(passage.malformed);
}

/** RFC 6455 §4.2.2 */
const acceptGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The origin has switched to what was asked for, and says so itself. @throws ProxyError origin_malformed */
function acceptSwitch({ result, key, searched, watch }: Switched): { readonly isCompressed: boolean } {
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
  if (isCompressed && (searched !== undefined || watch !== undefined))
    throw new ProxyError(
      'origin_malformed',
      'The response of the origin is refused: it compresses, which was not offered, so that messages cannot be searched.',
    );
  return { isCompressed };
}
