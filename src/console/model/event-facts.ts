// What of an event is shown in one line.

import type { AuditEvent } from '../../api/audit-event.ts';
import { portSuffix } from './display.ts';

/** The marks of the gate. */
export type GateMark = 'allow' | 'deny' | 'error' | 'observe' | 'unknown' | 'info' | 'alarm';

export function markOf({ verdict, observed, kind }: AuditEvent): GateMark {
  if (kind === 'alarm') return 'alarm';
  if (verdict === 'allow' && observed !== undefined) return 'observe';
  return verdict;
}

export const markNames: Readonly<Record<GateMark, string>> = {
  allow: 'allowed',
  deny: 'denied',
  error: 'failed',
  observe: 'observed: would be denied',
  unknown: 'unknown: the gateway was ended first',
  info: 'information',
  alarm: 'alarm',
};

/** How many requests it stands for. */
export function weightOf({ count }: AuditEvent): number {
  return count ?? 1;
}

/** `push` and `fetch` are what git says; else the method. */
export function methodOf({ git, method, kind }: AuditEvent): string {
  if (git !== undefined) return git.operation;
  return method ?? (kind === 'stream' ? 'connect' : '');
}

/** What stands behind the host: path, repository, or the step of a session in words. */
export function pathOf({ git, path, host }: AuditEvent): string {
  if (host === undefined) return '';
  if (git !== undefined) return `/${git.repository.replace(/^\/+/, '')}`;
  return path ?? '';
}

/** Refs of a push, without what each of them begins with. */
export function refsOf({ git }: AuditEvent): string {
  const refs = git?.refs ?? [];
  const [first] = refs;
  if (first === undefined) return '';
  const name = first.ref.replace(/^refs\/(?:heads|tags)\//, '');
  const total = git?.refsTotal ?? refs.length;
  return total === 1 ? name : `${name} and ${total - 1} more`;
}

/** A step of a session as a sentence. */
export function stepText({ action, message, kind }: AuditEvent): string {
  const said = (action ?? kind).replaceAll('_', ' ');
  const sentence = `${said.charAt(0).toUpperCase()}${said.slice(1)}`;
  return message === undefined ? sentence : `${sentence}: ${message}`;
}

/** Its address as one text. */
export function urlOf(event: AuditEvent): string | undefined {
  const { scheme, host, port, path = '' } = event;
  return host === undefined ? undefined : `${scheme ?? 'https'}://${host}${portSuffix(scheme, port)}${path}`;
}

/** Which requests are the same to a reader. The lengths stand first, so that no text can be taken for another. */
export function sameness(event: AuditEvent): string {
  const {
    sessionId = '',
    method = '',
    scheme = '',
    host = '',
    port,
    path = '',
    verdict,
    rule = '',
    status,
    observed = '',
    errorCode = '',
  } = event;
  const lengths = `${sessionId.length} ${method.length} ${host.length} ${rule.length} ${observed.length} ${errorCode.length}`;
  return `${lengths} ${verdict} ${status} ${port} ${scheme} ${sessionId}${method}${host}${rule}${observed}${errorCode}${path}`;
}

/** One sentence that says what became of it. */
export function outcomeText(event: AuditEvent): string {
  const { rule = 'no rule that is known', observed, errorCode = 'no code' } = event;
  switch (markOf(event)) {
    case 'allow':
      return `Allowed by ${rule}`;
    case 'deny':
      return `Denied by ${event.rule ?? errorCode}`;
    case 'error':
      return event.rule === undefined
        ? `Failed: ${errorCode}`
        : `Allowed by ${rule}, then failed: ${errorCode}`;
    case 'observe':
      return `Let through by observe mode. ${observed ?? rule} would have denied it`;
    case 'unknown':
      return 'Not known: the gateway was ended before it was over';
    case 'info':
    case 'alarm':
      return stepText(event);
  }
}
