// The error of a refused WebSocket handshake, with the problem that the other side named.

import { Buffer } from 'node:buffer';

import { ProxyError } from '../protocol/error.ts';
import { printable } from '../protocol/printable.ts';
import type { SessionProblem } from '../protocol/session-messages.ts';

/** The other side responded to the handshake with something else than 101. `problem` is its body, if it was one of ours. */
export class WebSocketRefusedError extends ProxyError {
  readonly status: number;
  readonly problem: SessionProblem | undefined;

  constructor(status: number, problem: SessionProblem | undefined, retryAfterSeconds?: number) {
    const detail = problem === undefined ? '' : ` ${problem.error}: ${problem.message}`;
    super(
      'websocket_refused',
      `The gateway refused the WebSocket with status ${status}.${detail}`,
      retryAfterSeconds === undefined ? {} : { retryAfterSeconds },
    );
    this.status = status;
    this.problem = problem;
  }
}

/** The problem in a JSON body, or undefined if the body is anything else. */
export function parseProblem(body: Buffer): SessionProblem | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('error' in value) || !('message' in value))
    return undefined;
  if (typeof value.error !== 'string' || typeof value.message !== 'string') return undefined;
  const problem = { error: printable(value.error), message: printable(value.message) };
  if (!('trace_id' in value) || typeof value.trace_id !== 'string') return problem;
  return { ...problem, trace_id: printable(value.trace_id) };
}
