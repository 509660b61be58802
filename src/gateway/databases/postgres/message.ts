// Messages of PostgreSQL behind the start-up: one octet of type, four of length, which count themselves, and a body.

/** Type and length. */
export const messageHeadBytes = 5;

/** Octets of ASCII that say what a message is; the same octet means one thing to a server and another to a client. */
export const fromServer = {
  authentication: 0x52,
  backendKeyData: 0x4b,
  error: 0x45,
  negotiateProtocolVersion: 0x76,
  notice: 0x4e,
  parameterStatus: 0x53,
  readyForQuery: 0x5a,
} as const;

export interface Message {
  readonly type: number;
  readonly body: Uint8Array;
}

/** How long the body is that a head of five octets promises; undefined: a length below its own four octets. */
export function bodyBytes(head: Uint8Array): number | undefined {
  const length = new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(1);
  return length < 4 ? undefined : length - 4;
}

/** @param type one character of ASCII */
export function messageOf(type: string, ...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const octets = parts.map((part) => (typeof part === 'string' ? new TextEncoder().encode(part) : part));
  const length = octets.reduce((sum, part) => sum + part.length, 0);
  const message = new Uint8Array(messageHeadBytes + length);
  const view = new DataView(message.buffer);
  view.setUint8(0, type.charCodeAt(0));
  view.setUint32(1, length + 4);
  let at = messageHeadBytes;
  for (const part of octets) {
    message.set(part, at);
    at += part.length;
  }
  return message;
}

export function uint32(value: number): Uint8Array {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, value);
  return octets;
}

export function readUint32(bytes: Uint8Array, offset: number): number | undefined {
  if (offset + 4 > bytes.length) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset);
}

/** Why a session of a client ends, as its own server would say it. */
export interface PostgresRefusal {
  /** Five characters, as in appendix A of the manual. */
  readonly sqlState: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** ErrorResponse, FATAL: nothing follows it. */
export function fatalError(refusal: PostgresRefusal): Uint8Array {
  return errorResponse(refusal, 'FATAL');
}

export function errorResponse(
  { sqlState, message, hint }: PostgresRefusal,
  severity: 'ERROR' | 'FATAL',
): Uint8Array {
  const fields = [
    ['S', severity],
    ['V', severity],
    ['C', sqlState],
    ['M', message],
    ...(hint === undefined ? [] : [['H', hint] as const]),
  ] as const;
  const text = fields.map(([field, value]) => `${field}${value.replaceAll('\0', '')}\0`).join('');
  return messageOf('E', `${text}\0`);
}

/** What an ErrorResponse says in two of its fields; texts are cut to so many characters. */
export function readError(
  body: Uint8Array,
  textCharactersMax: number,
): { readonly sqlState: string; readonly message: string } {
  const said = { sqlState: '', message: '' };
  // Old servers may not speak UTF-8 before a session has begun; what is no text is shown as such.
  for (const field of new TextDecoder().decode(body).split('\0')) {
    if (field.startsWith('C')) said.sqlState = field.slice(1, 6);
    else if (field.startsWith('M')) said.message = field.slice(1, 1 + textCharactersMax);
  }
  return said;
}
