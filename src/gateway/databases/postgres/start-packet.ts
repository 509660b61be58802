// What a client of PostgreSQL sends first (protocol 3, "Start-up"), read from bytes, and the start-up that the gateway sends instead.

/** Of a packet without a type: four octets of length, which count themselves, and four that say what it is. */
export const startHeadBytes = 8;
/** As the server has it (MAX_STARTUP_PACKET_LENGTH). */
export const startPacketBytesMax = 10_000;

const cancelCode = 80_877_102;
const tlsCode = 80_877_103;
const gssCode = 80_877_104;
/** Of protocol 3.0; later ones may be longer, and none is as long as this. */
const cancelSecretBytesMax = 256;

/** By which a session is cancelled. */
export interface CancelKey {
  readonly processId: number;
  readonly secret: Uint8Array;
}

export interface ClientStartUp {
  readonly kind: 'start-up';
  /** Of protocol 3. */
  readonly minor: number;
  /** In the order in which they came; each name stands once. */
  readonly parameters: ReadonlyMap<string, string>;
}

export type StartPacket =
  | { readonly kind: 'tls-request' }
  | { readonly kind: 'gss-request' }
  | ({ readonly kind: 'cancel' } & CancelKey)
  | ClientStartUp
  | { readonly kind: 'unsupported'; readonly major: number; readonly minor: number }
  | { readonly kind: 'malformed'; readonly reason: string };

/** How long the whole packet is; undefined: no packet is so short or so long. */
export function startPacketBytes(head: Uint8Array): number | undefined {
  const length = viewOf(head).getUint32(0);
  return length < startHeadBytes || length > startPacketBytesMax ? undefined : length;
}

/** Reads one whole packet. */
export function readStartPacket(packet: Uint8Array): StartPacket {
  if (packet.length < startHeadBytes) return malformed('it is shorter than its head');
  const view = viewOf(packet);
  if (view.getUint32(0) !== packet.length) return malformed('its length is not that of the packet');
  const code = view.getUint32(4);
  switch (code) {
    case tlsCode:
    case gssCode:
      if (packet.length !== startHeadBytes)
        return malformed('a request for encryption has more than its code');
      return { kind: code === tlsCode ? 'tls-request' : 'gss-request' };
    case cancelCode:
      return readCancel(packet);
    default: {
      const [major, minor] = [code >>> 16, code & 0xffff];
      return major === 3 ? readParameters(packet, minor) : { kind: 'unsupported', major, minor };
    }
  }
}

function readCancel(packet: Uint8Array): StartPacket {
  const secret = packet.slice(12);
  if (secret.length < 4 || secret.length > cancelSecretBytesMax)
    return malformed('a request to cancel has a key of no possible length');
  return { kind: 'cancel', processId: viewOf(packet).getUint32(8), secret };
}

function readParameters(packet: Uint8Array, minor: number): StartPacket {
  const parameters = new Map<string, string>();
  for (let at = startHeadBytes; ;) {
    const name = readText(packet, at);
    if (name === undefined) return malformed('a parameter does not end, or is not UTF-8');
    if (name.text === '')
      return name.end === packet.length
        ? { kind: 'start-up', minor, parameters }
        : malformed('there is something behind the parameters');
    const value = readText(packet, name.end);
    if (value === undefined) return malformed('the value of a parameter does not end, or is not UTF-8');
    // Servers and poolers differ in which of the two counts.
    if (parameters.has(name.text)) return malformed('a parameter stands twice');
    parameters.set(name.text, value.text);
    at = value.end;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A text that ends with a zero. */
function readText(
  bytes: Uint8Array,
  start: number,
): { readonly text: string; readonly end: number } | undefined {
  const zero = bytes.indexOf(0, start);
  if (zero === -1) return undefined;
  try {
    return { text: utf8.decode(bytes.subarray(start, zero)), end: zero + 1 };
  } catch {
    return undefined;
  }
}

/** Protocol 3.0, which all servers speak. Names and values must have no zero in them. */
export function startUpPacket(parameters: Iterable<readonly [name: string, value: string]>): Uint8Array {
  const texts = [...parameters].flat().map((text) => `${text}\0`);
  const body = new TextEncoder().encode(`${texts.join('')}\0`);
  return packetOf(3 << 16, body);
}

export function tlsRequestPacket(): Uint8Array {
  return packetOf(tlsCode, new Uint8Array(0));
}

export function cancelPacket({ processId, secret }: CancelKey): Uint8Array {
  const body = new Uint8Array(4 + secret.length);
  viewOf(body).setUint32(0, processId);
  body.set(secret, 4);
  return packetOf(cancelCode, body);
}

function packetOf(code: number, body: Uint8Array): Uint8Array {
  const packet = new Uint8Array(startHeadBytes + body.length);
  const view = viewOf(packet);
  view.setUint32(0, packet.length);
  view.setUint32(4, code);
  packet.set(body, startHeadBytes);
  return packet;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function malformed(reason: string): StartPacket {
  return { kind: 'malformed', reason };
}
