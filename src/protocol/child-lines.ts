// What a process of the workload and its agent tell each other when a session is to make another one: lines of JSON behind a CONNECT to a
// host that the relay serves itself.

import { ProxyError } from './error.ts';
import { knownErrorCode } from './error-table.ts';
import { printable } from './printable.ts';

/** No name below `invalid` is in the DNS (RFC 6761 §6.4), and the gateway is never asked for this one. */
export const childAuthority = { host: 'sessions.upstreamproxy.invalid', port: 443 } as const;

/** The first line, of whoever asks. The new session ends with the connection. */
export interface ChildRequest {
  /** The text of a policy that narrows. */
  readonly policy: string;
  readonly lifetimeMs?: number;
  readonly confined: boolean;
}

/** The agent's response: what the command of the new session needs. */
export interface ChildOffer {
  readonly id: string;
  /** Of a relay on 127.0.0.1, which serves the new session alone. */
  readonly port: number;
  /** Variables of a command of the new session. */
  readonly environment: Readonly<Record<string, string>>;
  /** Those of a command of the session that made it. */
  readonly replaces: readonly string[];
  readonly capturePorts: readonly number[];
  /** Unix sockets of the relays of the sessions above it, absolute paths; an agent that does not say has maybe some. */
  readonly relaySockets?: readonly string[];
}

/** In place of a response, or behind it when the session is over. */
export interface ChildFault {
  readonly code: string;
  readonly message: string;
}

/** Undefined where it is none. What it says beyond the form is the gateway's to judge. */
export function childRequestOf(line: string): ChildRequest | undefined {
  const { policy, lifetimeMs, confined } = objectOf(line);
  if (typeof policy !== 'string' || typeof confined !== 'boolean') return undefined;
  if (lifetimeMs === undefined) return { policy, confined };
  return Number.isSafeInteger(lifetimeMs) && Number(lifetimeMs) > 0
    ? { policy, confined, lifetimeMs: Number(lifetimeMs) }
    : undefined;
}

/** @throws ProxyError of what the agent says in place of it, or gateway_protocol */
export function childOfferOf(line: string): ChildOffer {
  const value = objectOf(line);
  const fault = childFaultOf(value);
  if (fault !== undefined) throw fault;
  const { id, port, environment, replaces, capturePorts, relaySockets } = value;
  if (
    typeof id !== 'string' ||
    !isPort(port) ||
    !isTexts(environment) ||
    !Array.isArray(replaces) ||
    !replaces.every((one) => typeof one === 'string') ||
    !Array.isArray(capturePorts) ||
    !capturePorts.every(isPort) ||
    !(relaySockets === undefined || isPaths(relaySockets))
  )
    throw new ProxyError('gateway_protocol', 'the agent responds with something that is no session');
  const above = relaySockets === undefined ? {} : { relaySockets };
  return { id, port, environment, replaces, capturePorts, ...above };
}

/** What ended the session, by the line that the agent says last; undefined of any other. */
export function childEndOf(line: string): ProxyError | undefined {
  return childFaultOf(objectOf(line));
}

function childFaultOf({ error }: Readonly<Record<string, unknown>>): ProxyError | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  // An object has members; each is looked at.
  const { code, message } = error as Readonly<Record<string, unknown>>;
  return new ProxyError(
    knownErrorCode(code) ?? 'gateway_protocol',
    typeof message === 'string' ? printable(message) : 'the agent gives no reason',
  );
}

function objectOf(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    // An object of JSON has string keys; its values are checked one by one.
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // As an empty one.
  }
  return {};
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;
}

function isPaths(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string' && one.startsWith('/'));
}

function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((one) => typeof one === 'string')
  );
}
