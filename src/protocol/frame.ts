// The frames of `upstreamproxy.v1` as types. The bytes are in frame-codec.ts, the table in docs/reference/wire.md.

/** WebSocket subprotocol of the multiplexed tunnel. */
export const tunnelSubprotocol = 'upstreamproxy.v1';
/** WebSocket subprotocol of the seed: one WebSocket per CONNECT, protobuf chunks. */
export const chunkSubprotocol = 'upstreamproxy.chunk';

/**
 * What the bytes of a stream are, as the agent claims it:
 * `raw` anything, as behind CONNECT (the gateway classifies); `tls` TLS that the gateway ends;
 * `proxy` the whole connection of a forward-proxy client, each request in absolute form;
 * `http1`, `http2` plaintext of TLS that the agent ended, where the two agreed on that for the tunnel;
 * `refusals` nothing of a client: the agent asks what the session was refused (agreed at enrolment);
 * `udp` datagrams to one host and port, which are no bytes of the stream (agreed at the upgrade).
 */
export type StreamMode = 'raw' | 'tls' | 'proxy' | 'http1' | 'http2' | 'refusals' | 'udp';

/** The modes that need a proof of where the TLS of the link ends. */
export type PlainMode = Extract<StreamMode, 'http1' | 'http2'>;

/** The fields of `open`: claims of an untrusted party, never a right to anything. */
export interface OpenFields {
  /** `host:port` as the client named it; empty in mode `proxy`. */
  readonly authority: string;
  readonly mode: StreamMode;
  readonly sni?: string;
  readonly alpn?: string;
  readonly tlsVersion?: string;
  /** Field Via of the client's CONNECT, if it is a proxy itself. */
  readonly via?: string;
  /** What the ClientHello offered by ALPN and the gateway knows, in the client's order, with spaces between. */
  readonly alpnOffer?: string;
}

export type Frame =
  | { readonly type: 'open'; readonly streamId: number; readonly fields: OpenFields }
  | { readonly type: 'accept'; readonly streamId: number }
  | { readonly type: 'refuse'; readonly streamId: number; readonly code: number; readonly message: string }
  | { readonly type: 'data'; readonly streamId: number; readonly data: Uint8Array }
  /** Credit: `bytes` more may be sent on the stream; stream 0 is the connection. */
  | { readonly type: 'window'; readonly streamId: number; readonly bytes: number }
  | { readonly type: 'end'; readonly streamId: number }
  /** One datagram of a stream of mode `udp`: in no order, without credit, and never sent again. */
  | { readonly type: 'datagram'; readonly streamId: number; readonly data: Uint8Array }
  | { readonly type: 'reset'; readonly streamId: number; readonly code: number; readonly message: string }
  | { readonly type: 'ping'; readonly nonce: number }
  | { readonly type: 'pong'; readonly nonce: number }
  /** No stream above `lastStreamId` was or will be served. */
  | {
      readonly type: 'goaway';
      readonly lastStreamId: number;
      readonly code: number;
      readonly message: string;
    }
  /** Octets of counted frames that were received in the tunnel's life: what was sent before need not be kept. */
  | { readonly type: 'ack'; readonly receivedBytes: bigint }
  /** The same count, as the point from which to replay on another link, and the proof of who says it. */
  | { readonly type: 'resume'; readonly receivedBytes: bigint; readonly proof: Uint8Array }
  | ResumableFrame
  | LinkFrame;

/** The gateway's word for a tunnel that outlives its link. */
export interface ResumableFrame {
  readonly type: 'resumable';
  readonly tunnelId: Uint8Array;
  /** Known to the two ends of the first link. */
  readonly secret: Uint8Array;
  /** How long the gateway keeps the tunnel without a link. */
  readonly windowMs: number;
}

/** The frames by which agent and gateway agree on modes for one tunnel, in their order. */
export type LinkFrame =
  | { readonly type: 'challenge'; readonly challenge: Uint8Array; readonly tunnelId: Uint8Array }
  | {
      readonly type: 'prove';
      readonly signature: Uint8Array;
      readonly modes: readonly PlainMode[];
      /** As the agent dialled it: `https://host[:port]`. */
      readonly origin: string;
    }
  | { readonly type: 'agree'; readonly signature: Uint8Array; readonly modes: readonly PlainMode[] }
  /** In place of `prove` where nothing is served before the agent has shown for this tunnel that it has the key of the session. */
  | {
      readonly type: 'identify';
      readonly signature: Uint8Array;
      /** `tls-exporter` of the link as the agent's end has it; empty where it asks for no modes. */
      readonly exporter: Uint8Array;
      readonly modes: readonly PlainMode[];
      readonly origin: string;
    }
  /** Where the agent leaves TLS to the gateway: a version, then one pattern a line. */
  | { readonly type: 'hosts'; readonly text: string };

export type FrameType = Frame['type'];
