// The gateway's end of the seed protocol: one WebSocket is one connection of one client.

import type { Duplex } from 'node:stream';
import { formatAuthority } from '../../http/authority.ts';
import type { ProxyHead } from '../../http/proxy-head.ts';
import { ProxyHeadReader } from '../../http/proxy-head-reader.ts';
import { encodeRefusal, encodeResponseHead } from '../../http/response-writer.ts';
import { chunkStream } from '../../net/chunk-stream.ts';
import { LinkSettling } from '../../net/link-settling.ts';
import type { WebSocketConnection } from '../../net/websocket-connection.ts';
import type { Principal } from '../../policy/decision.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { OpenTunnel } from './open-tunnel.ts';
import { handleStream } from './stream-handler.ts';
import type { StreamParts, StreamPort } from './stream-scene.ts';

export interface ChunkTunnelOptions {
  readonly webSocket: WebSocketConnection;
  readonly principal: Principal;
  readonly expiresMs: number;
  readonly parts: StreamParts;
  readonly onEnd: () => void;
}

/** Serves the connection on it. It cannot say that it is to go elsewhere, so it goes on for as long as it may. */
export function openChunkTunnel(options: ChunkTunnelOptions): OpenTunnel {
  const { webSocket, principal, expiresMs, parts, onEnd } = options;
  const duplex = chunkStream(webSocket, parts.limits, {
    onReceive: () => parts.loopWatch?.enter(principal.sessionId),
  });
  const destroy = (error: ProxyError): void => {
    duplex.destroy(error);
  };
  const settling = new LinkSettling(() => duplex.destroyed);
  duplex.once('close', () => {
    onEnd();
    settling.end();
  });
  duplex.on('error', () => {
    // The stream's end is told by 'close'.
  });
  void serveChunkStream(duplex, principal, parts);
  return {
    sessionId: principal.sessionId,
    endsMs: expiresMs,
    drain: (withinMs) => settling.within(withinMs),
    dismiss: destroy,
    destroy,
  };
}

/** `upstreamproxy.chunk`: the client speaks the proxy conversation itself, beginning with CONNECT. */
async function serveChunkStream(duplex: Duplex, principal: Principal, parts: StreamParts): Promise<void> {
  try {
    const { bytes, head } = await readProxyHead(duplex, parts);
    const rest = head.state === 'connect' ? bytes.subarray(head.headBytes) : bytes;
    if (rest.length > 0) duplex.unshift(rest);
    const authority = head.state === 'connect' ? formatAuthority(head.authority) : '';
    const hops = head.state === 'connect' && head.via !== undefined ? { via: head.via } : {};
    await handleStream(chunkPort(duplex, authority, hops), principal, parts);
  } catch (error) {
    const fault = asProxyError(error);
    duplex.end(encodeRefusal(fault, fault.httpStatus));
  }
}

function chunkPort(duplex: Duplex, authority: string, hops: { readonly via?: string }): StreamPort {
  let responded = authority === '';
  return {
    duplex,
    fields: { authority, mode: authority === '' ? 'proxy' : 'raw', ...hops },
    allowsMode: () => false,
    accept: () => {
      if (!responded) duplex.write(encodeResponseHead(200));
      responded = true;
    },
    refuse: (error) => {
      if (responded) duplex.destroy(error);
      else duplex.end(encodeRefusal(error, error.httpStatus));
      responded = true;
    },
    reset: (error) => {
      duplex.destroy(error);
    },
  };
}

interface FirstHead {
  readonly bytes: Buffer;
  readonly head: Exclude<ProxyHead, { state: 'incomplete' }>;
}

async function readProxyHead(duplex: Duplex, parts: StreamParts): Promise<FirstHead> {
  const signal = AbortSignal.timeout(parts.limits.headTimeoutMs);
  const reader = new ProxyHeadReader(parts.limits);
  const onAbort = (): void => {
    duplex.destroy(
      new ProxyError('timeout', 'the first request head did not arrive in time', {
        limit: 'headTimeoutMs',
      }),
    );
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for await (const chunk of duplex.iterator({ destroyOnReturn: false })) {
      // The stream gives Buffers: no encoding is set on it.
      const head = reader.push(chunk as Buffer);
      if (head.state !== 'incomplete') return { bytes: Buffer.from(reader.bytes), head };
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
  throw new ProxyError('cancelled', 'the client ended before its first request');
}
