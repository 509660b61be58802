// What an audit event says of a decision: what was asked, by whom, and what was decided.

import type { AuditEvent } from '../../api/audit-event.ts';
import { isOfLaterVersion } from '../../api/read-audit-event.ts';
import { HeaderList } from '../../http/header-list.ts';
import type { AccessRequest } from '../../policy/decision.ts';
import { accessRequestsName } from '../../policy/granted-policy.ts';

/** How a decision turned out. `failed`: allowed by the policy, and refused or broken by something else. */
export type RecordedEffect = 'allow' | 'deny' | 'failed';

export interface RecordedDecision {
  readonly event: AuditEvent;
  /** Without header fields: the audit does not have them. */
  readonly access: AccessRequest;
  readonly timeMs: number;
  readonly effect: RecordedEffect;
  readonly rule: string;
  /** Credentials that the rule gives, put on the request or not. */
  readonly injected: readonly string[];
  /** Set where the event has only a part of what was judged: which, and how much it was. */
  readonly partial?: { readonly field: string; readonly bytes: number };
}

/** What a decision is made by. */
const judgedFields = ['path', 'host', 'method', 'rule', 'principal', 'sessionId', 'git'] as const;

/** The decision of an event, or why there is none in it; undefined for events in the life of a session. */
export function recordedDecision(event: AuditEvent): RecordedDecision | string | undefined {
  if (event.kind !== 'exchange' && event.kind !== 'stream') return undefined;
  if (isOfLaterVersion(event)) return 'written by a newer program, which this one cannot read';
  if (event.verdict === 'info') return undefined;
  const { rule } = event;
  if (event.verdict === 'unknown' && event.decided === undefined)
    return 'the gateway ended before the policy was asked';
  if (rule === undefined) return `refused before the policy was asked (${event.errorCode ?? event.verdict})`;
  if (rule === accessRequestsName) return 'served by the gateway itself';
  const access = accessOf(event);
  if (typeof access === 'string') return access;
  const timeMs = Date.parse(event.time);
  return {
    event,
    access,
    timeMs,
    effect: effectOf(event),
    rule,
    injected: event.offered ?? event.injected ?? [],
    ...partialOf(event),
  };
}

/** The beginning of a path is another path: nothing is concluded from it. */
function partialOf({ cut }: AuditEvent): Pick<RecordedDecision, 'partial'> {
  if (cut === undefined) return {};
  const field = judgedFields.find((name) => cut[name] !== undefined);
  const bytes = field === undefined ? undefined : cut[field]?.bytes;
  return field === undefined || bytes === undefined ? {} : { partial: { field, bytes } };
}

function accessOf(event: AuditEvent): AccessRequest | string {
  const { host, port, method, path, scheme } = event;
  if (host === undefined || port === undefined) return 'the destination is not in the event';
  if (event.kind === 'stream') {
    const isTls = scheme === 'https';
    return { depth: 'connect', destination: { scheme: isTls ? 'https' : 'tcp', host, port } };
  }
  if (scheme !== 'https' && scheme !== 'http') return 'the scheme is not in the event';
  if (method === undefined || path === undefined || !/^[/*]/.test(path))
    return 'the request is not in the event';
  const mark = path.indexOf('?');
  // Only the whole list says what was decided about.
  const { git } = event;
  const isWhole = git?.refsTotal === undefined && git?.optionsTotal === undefined;
  const pushed = isWhole ? git?.refs : undefined;
  return {
    depth: 'request',
    destination: { scheme, host, port },
    method,
    path: mark < 0 ? path : path.slice(0, mark),
    query: mark < 0 ? '' : path.slice(mark),
    headers: new HeaderList(),
    ...(pushed === undefined ? {} : { pushed, pushOptions: git?.options ?? [] }),
  };
}

function effectOf({
  verdict,
  errorCode,
  kind,
  protocol,
  status,
  git,
  responseBytes,
  decided,
}: AuditEvent): RecordedEffect {
  if (verdict === 'unknown' && decided !== undefined) return decided;
  if (verdict === 'allow') return 'allow';
  // Of a protocol that the gateway ends the connection was allowed, and what came in it was not.
  if (errorCode === 'protocol_denied') return kind === 'stream' && protocol !== undefined ? 'allow' : 'deny';
  if (errorCode !== 'policy_denied') return 'failed';
  // What had begun was allowed; it ended because the policy changed.
  // A push is refused with the status 200 and git's own report, which is no response of the origin.
  const isReport = git?.refs !== undefined && responseBytes === undefined;
  const hadBegun = kind === 'stream' ? protocol !== undefined : status !== 403 && !isReport;
  return hadBegun ? 'allow' : 'deny';
}
