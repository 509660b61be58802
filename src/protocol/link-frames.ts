// The payloads of the frames by which agent and gateway agree on modes for one tunnel. docs/reference/wire.md has their order.

import { ProxyError } from './error.ts';
import type { LinkFrame, PlainMode } from './frame.ts';
import { decodeText, streamModeNumbers } from './open-fields.ts';

/** Octets of a challenge: fresh for each tunnel. */
export const challengeBytes = 32;
/** Octets of a signature, of Ed25519 as of P-256 (IEEE P1363). */
const signatureBytes = 64;
/** Octets of `tls-exporter` (RFC 9266 §4.2). */
const exporterBytes = 32;

export const plainModes: readonly PlainMode[] = ['http1', 'http2'];
const encoder = new TextEncoder();

/** The octets of modes, ascending: one spelling for one set. */
export function encodeModes(modes: readonly PlainMode[]): Uint8Array {
  return Uint8Array.from(
    plainModes.filter((mode) => modes.includes(mode)).map((mode) => streamModeNumbers[mode]),
  );
}

/** Throws frame_malformed for any other spelling. A mode of a later version is one that this one does not speak. */
function decodeModes(octets: Uint8Array): readonly PlainMode[] {
  const modes = plainModes.filter((mode) => octets.includes(streamModeNumbers[mode]));
  if (octets.length !== modes.length || encodeModes(modes).some((octet, at) => octet !== octets[at]))
    throw new ProxyError(
      'frame_malformed',
      'a frame names its modes in another order or twice, or unknown ones',
    );
  return modes;
}

export function encodeLinkPayload(frame: LinkFrame): Uint8Array {
  switch (frame.type) {
    case 'challenge':
      return joined(frame.challenge, frame.tunnelId);
    case 'prove': {
      const modes = encodeModes(frame.modes);
      return joined(frame.signature, Uint8Array.of(modes.length), modes, encoder.encode(frame.origin));
    }
    case 'agree':
      return joined(frame.signature, encodeModes(frame.modes));
    case 'hosts':
      return encoder.encode(frame.text);
    case 'identify': {
      const { signature, exporter, origin } = frame;
      const modes = encodeModes(frame.modes);
      const lengths = [exporter.length, modes.length].map((length) => Uint8Array.of(length));
      return joined(signature, ...lengths, exporter, modes, encoder.encode(origin));
    }
  }
}

/** The parser's buffer is used again, so what is kept is copied. Throws frame_malformed. */
export function decodeLinkFrame(type: LinkFrame['type'], payload: Uint8Array): LinkFrame {
  switch (type) {
    case 'challenge':
      return {
        type,
        challenge: copied(payload, 0, challengeBytes),
        tunnelId: copied(payload, challengeBytes),
      };
    case 'prove': {
      const from = signatureBytes + 1;
      const to = from + (payload[signatureBytes] ?? 0);
      if (to >= payload.length) throw new ProxyError('frame_malformed', 'a prove frame is cut off');
      return {
        type,
        signature: copied(payload, 0, signatureBytes),
        modes: decodeModes(payload.subarray(from, to)),
        origin: decodeText(payload.subarray(to), 'the origin of prove'),
      };
    }
    case 'agree':
      return {
        type,
        signature: copied(payload, 0, signatureBytes),
        modes: decodeModes(payload.subarray(signatureBytes)),
      };
    case 'hosts':
      return { type, text: decodeText(payload, 'the text of hosts') };
    case 'identify':
      return decodeIdentify(payload);
  }
}

function decodeIdentify(payload: Uint8Array): LinkFrame {
  const exporterLength = payload[signatureBytes] ?? 0;
  if (exporterLength !== 0 && exporterLength !== exporterBytes)
    throw new ProxyError('frame_malformed', `an identify frame cannot have an exporter of ${exporterLength}`);
  const from = signatureBytes + 2;
  const modesFrom = from + exporterLength;
  const to = modesFrom + (payload[signatureBytes + 1] ?? 0);
  if (to >= payload.length) throw new ProxyError('frame_malformed', 'an identify frame is cut off');
  return {
    type: 'identify',
    signature: copied(payload, 0, signatureBytes),
    exporter: copied(payload, from, modesFrom),
    modes: decodeModes(payload.subarray(modesFrom, to)),
    origin: decodeText(payload.subarray(to), 'the origin of identify'),
  };
}

/** Of a Buffer too, whose `slice` is a view. */
function copied(bytes: Uint8Array, from: number, to?: number): Uint8Array {
  return Uint8Array.from(bytes.subarray(from, to));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
