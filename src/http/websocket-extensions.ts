// What may be agreed on for a WebSocket beside RFC 6455: permessage-deflate (RFC 7692) alone, since frames are watched.

import { ProxyError } from '../protocol/error.ts';

const flags = new Set(['server_no_context_takeover', 'client_no_context_takeover']);
const windows = new Set(['server_max_window_bits', 'client_max_window_bits']);

/** The offers that go on, as one field value; undefined if none does. */
export function offeredExtensions(values: readonly string[]): string | undefined {
  const offers = membersOf(values).filter(isDeflate);
  return offers.length === 0 ? undefined : offers.join(', ');
}

/** Whether messages may be compressed. @throws ProxyError origin_malformed for any other extension */
export function agreesCompression(values: readonly string[]): boolean {
  const [taken, ...others] = membersOf(values);
  if (taken === undefined) return false;
  if (others.length > 0 || !isDeflate(taken))
    throw new ProxyError(
      'origin_malformed',
      'The response of the origin is refused: it agrees to an extension of WebSocket that was not offered.',
    );
  return true;
}

function membersOf(values: readonly string[]): readonly string[] {
  return values
    .flatMap((value) => value.split(','))
    .map((member) => member.trim())
    .filter((member) => member !== '');
}

/** RFC 7692 §7.1: four parameters, windows of 8 to 15 bits. */
function isDeflate(offer: string): boolean {
  const [name, ...parameters] = offer.split(';').map((part) => part.trim());
  return name === 'permessage-deflate' && parameters.every(isParameter);
}

function isParameter(parameter: string): boolean {
  const [, name = '', bits] = /^([a-z_]+)(?:="?(\d{1,2})"?)?$/.exec(parameter) ?? [];
  if (flags.has(name)) return bits === undefined;
  if (!windows.has(name)) return false;
  if (bits === undefined) return name === 'client_max_window_bits';
  return Number(bits) >= 8 && Number(bits) <= 15 && !bits.startsWith('0');
}
