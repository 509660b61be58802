// What a gateway and the process that has the key of its authority say to each other: a line of JSON for each message, over a pipe.

import type { Readable, Writable } from 'node:stream';
import { ProxyError } from '../../protocol/error.ts';
import { knownErrorCode } from '../../protocol/error-table.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** From the gateway. */
export interface SignRequest {
  readonly id: number;
  /** What is to be signed of a leaf, base64. */
  readonly text: string;
}

/** From the signer. */
export type SignerMessage =
  /** The authority from now on: its certificates, that of the key first. */
  | { readonly kind: 'authority'; readonly certificates: readonly string[] }
  | { readonly kind: 'signed'; readonly id: number; readonly signature: string }
  | { readonly kind: 'refused'; readonly id: number; readonly code: string; readonly message: string }
  /** It has no authority, or cannot renew the one it has. */
  | { readonly kind: 'fault'; readonly code: string; readonly message: string };

export function writeLine(to: Writable, message: SignRequest | SignerMessage): void {
  to.write(`${JSON.stringify(message)}\n`);
}

/** Calls the listener for each line until the stream ends; a line that is too long, or no object, ends it with an error. */
export function readLines(
  from: Readable,
  listener: (message: Readonly<Record<string, unknown>>) => void,
  onFault: (error: ProxyError) => void,
): void {
  let rest = '';
  from.setEncoding('utf8');
  from.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    try {
      if (rest.length > defaultLimits.signerLineCharactersMax) throw malformed('a line has no end');
      for (const line of lines) listener(objectOf(line));
    } catch (error) {
      from.destroy();
      onFault(error instanceof ProxyError ? error : malformed('a line is not JSON'));
    }
  });
}

function objectOf(line: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(line);
  if (typeof value !== 'object' || value === null) throw malformed('a line is not an object');
  // An object has keys, whose values are checked where they are read.
  return value as Readonly<Record<string, unknown>>;
}

function malformed(reason: string): ProxyError {
  return new ProxyError('signer_unavailable', `the signer of the authority cannot be understood: ${reason}`);
}

/** A request of the gateway; undefined for what is none. */
export function signRequestOf({ id, text }: Readonly<Record<string, unknown>>): SignRequest | undefined {
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || typeof text !== 'string') return undefined;
  return { id, text };
}

/** A message of the signer; undefined for what is none. */
export function signerMessageOf(message: Readonly<Record<string, unknown>>): SignerMessage | undefined {
  const { kind, id, certificates, signature, code, message: text } = message;
  const isSaid = typeof code === 'string' && typeof text === 'string';
  if (kind === 'authority' && isTexts(certificates)) return { kind, certificates };
  if (kind === 'signed' && typeof id === 'number' && typeof signature === 'string')
    return { kind, id, signature };
  if (kind === 'refused' && typeof id === 'number' && isSaid) return { kind, id, code, message: text };
  return kind === 'fault' && isSaid ? { kind, code, message: text } : undefined;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

export function errorOf({ code, message }: { readonly code: string; readonly message: string }): ProxyError {
  return new ProxyError(knownErrorCode(code) ?? 'signer_unavailable', message);
}
