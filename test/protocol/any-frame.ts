// Frames at random, for properties.

import fc from 'fast-check';
import type { Frame } from '../../src/protocol/frame.ts';
import { uint31Max } from '../../src/protocol/frame-codec.ts';

/** Like `fc.record`, with ordinary prototypes so that results compare with what the parser makes. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const streamId = fc.integer({ min: 1, max: uint31Max });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const code = fc.integer({ min: 0, max: 0xffff });
const text = fc.string({ unit: 'grapheme', maxLength: 100 });
const optionalText = fc.option(text, { nil: undefined });
const fields = record({
  authority: text,
  mode: fc.constantFrom('raw', 'tls', 'proxy', 'http1', 'http2', 'udp'),
  sni: optionalText,
  alpn: optionalText,
  tlsVersion: optionalText,
  via: optionalText,
  alpnOffer: optionalText,
}).map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));

function octets(minLength: number, maxLength = minLength): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength, maxLength });
}
const modes = fc.constantFrom([], ['http1'], ['http2'], ['http1', 'http2']);

/** Any valid frame. */
export const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  record({ type: fc.constant('open'), streamId, fields }),
  record({ type: fc.constantFrom('accept', 'end'), streamId }),
  record({ type: fc.constantFrom('refuse', 'reset'), streamId, code, message: text }),
  record({ type: fc.constant('data'), streamId, data: fc.uint8Array({ minLength: 1, maxLength: 300 }) }),
  record({
    type: fc.constant('window'),
    streamId: fc.integer({ min: 0, max: uint31Max }),
    bytes: fc.integer({ min: 1, max: uint31Max }),
  }),
  record({ type: fc.constantFrom('ping', 'pong'), nonce: uint32 }),
  record({ type: fc.constant('goaway'), lastStreamId: uint32, code, message: text }),
  record({
    type: fc.constant('ack'),
    receivedBytes: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  record({
    type: fc.constant('resume'),
    receivedBytes: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    proof: fc.oneof(octets(0), octets(32), octets(96)),
  }),
  record({ type: fc.constant('resumable'), tunnelId: octets(32), secret: octets(32), windowMs: uint32 }),
  record({ type: fc.constant('challenge'), challenge: octets(32), tunnelId: octets(16, 64) }),
  record({ type: fc.constant('prove'), signature: octets(64), modes, origin: fc.webUrl() }),
  record({
    type: fc.constant('identify'),
    signature: octets(64),
    exporter: fc.oneof(octets(0), octets(32)),
    modes,
    origin: fc.webUrl(),
  }),
  record({ type: fc.constant('agree'), signature: octets(64), modes }),
  record({ type: fc.constant('datagram'), streamId, data: octets(0, 300) }),
  record({ type: fc.constant('hosts'), text: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }) }),
) as fc.Arbitrary<Frame>;
