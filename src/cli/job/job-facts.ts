// What is told of a job at its end: one pass over its audit, in bounded memory and time, or what another gateway told.

import { relative } from 'node:path';

import type { AuditEvent } from '../../api/audit-event.ts';
import { refusalOf } from '../../api/refusal-of-event.ts';
import { PolicyReplay } from '../../gateway/policies/policy-replay.ts';
import { defaultDenyName } from '../../policy/compiled-policy.ts';
import { asProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { refusalKey, type SessionRefusal } from '../../protocol/session-refusals.ts';
import { readAuditFile } from '../operator/audit-file.ts';
import { type KnownSessions, noteSession } from '../operator/session-facts.ts';
import { openPolicy } from '../policy/open-policy.ts';
import { PolicyProposal } from '../policy/policy-proposal.ts';
import { type Contact, Contacts } from '../run/contact-summary.ts';
import type { JobEnd, JobRecord } from './job-folder.ts';

/** Refusals that differ in nothing but when. */
export interface Refused {
  readonly refusal: SessionRefusal;
  /** A rule of the policy says so by itself: somebody has thought of it. */
  readonly isMeant: boolean;
  readonly count: number;
}

export interface JobFacts {
  /** Who decided. */
  readonly form: JobRecord['form'];
  /** The first policy: below the working folder from there, else absolute. */
  readonly policy: string | undefined;
  readonly gatewayUrl: string | undefined;
  /** Most used first; undefined where another gateway has the audit. */
  readonly places: { readonly named: readonly Contact[]; readonly others: number } | undefined;
  /** Most often first. */
  readonly refused: readonly Refused[];
  /** How often something else was refused, of which no more is known. */
  readonly refusedElse: number;
  readonly alarms: readonly { readonly text: string; readonly count: number }[];
  /** What the policy would have refused, where it was tried. */
  readonly would: readonly { readonly request: string; readonly rule: string; readonly count: number }[];
  /** A policy that allows what was seen, where nothing decided. */
  readonly proposal: string | undefined;
  /** Why the session was over before the job was. */
  readonly early: string | undefined;
  /** Why there may be more than is told. */
  readonly unread: string | undefined;
  /** The tunnel to the other gateway broke: what that refused before may have been counted elsewhere. */
  readonly tunnelBroke: boolean;
}

export interface JobSources {
  readonly record: JobRecord;
  readonly end: JobEnd | undefined;
  readonly early: string | undefined;
}

/** Never throws: what cannot be read is said. */
export async function collectJobFacts({ record, end, early }: JobSources): Promise<JobFacts> {
  const counted = new Counted();
  const isObserved = record.form === 'observe';
  const late = AbortSignal.timeout(defaultLimits.jobReadTimeoutMs);
  let unread: string | undefined;
  const proposal = isObserved ? new PolicyProposal() : undefined;
  let replay: PolicyReplay | undefined;
  try {
    const sessions: KnownSessions = new Map();
    if (isObserved && record.policies.length > 0)
      replay = new PolicyReplay((await openPolicy(record.policies, record.config)).policy, sessions);
    if (record.auditFile !== undefined)
      for await (const event of readAuditFile(record.auditFile, late)) {
        noteSession(sessions, event);
        counted.note(event);
        proposal?.note(event);
        replay?.note(event);
      }
  } catch (error) {
    unread = late.aborted ? 'there was no time to read all of the audit' : asProxyError(error).message;
  }
  for (const refusal of end?.told?.refusals ?? []) counted.refuse(refusal);
  if (record.gatewayUrl !== undefined && end?.told === undefined)
    unread ??= 'the gateway did not tell what it refused';
  return {
    form: record.form,
    policy: shownPath(record.policies[0]),
    gatewayUrl: record.gatewayUrl,
    places: record.auditFile === undefined ? undefined : counted.contacts.places(),
    refused: counted.refused(),
    refusedElse: counted.others + (end?.told?.others ?? 0),
    alarms: counted.alarms(),
    would: wouldRefuse(replay),
    proposal: proposal?.text(),
    early,
    unread,
    tunnelBroke: end?.told?.isWhole === false,
  };
}

function shownPath(path: string | undefined): string | undefined {
  const fromHere = path === undefined ? undefined : relative(process.cwd(), path);
  return fromHere?.startsWith('..') === true ? path : fromHere;
}

/** Whether the job is one that nobody should take for good without a look. */
export function needsLook({ form, refused, refusedElse, alarms, early, unread }: JobFacts): boolean {
  if (alarms.length > 0 || early !== undefined || unread !== undefined) return true;
  // What is refused to a job that is observed is not public: nobody has decided about it.
  return form !== 'observe' && (refusedElse > 0 || refused.some(({ isMeant }) => !isMeant));
}

class Counted {
  readonly contacts = new Contacts();
  readonly #refused = new Map<string, { readonly refusal: SessionRefusal; count: number }>();
  readonly #alarms = new Map<string, number>();
  others = 0;

  note(event: AuditEvent): void {
    this.contacts.add(event);
    const refusal = refusalOf(event);
    if (refusal !== undefined) this.refuse(refusal);
    if (event.kind !== 'alarm') return;
    const text = `${event.action ?? 'alarm'}${event.message === undefined ? '' : `: ${event.message}`}`;
    if (this.#alarms.has(text) || this.#alarms.size < defaultLimits.summaryRowsMax)
      this.#alarms.set(text, (this.#alarms.get(text) ?? 0) + 1);
  }

  refuse(refusal: SessionRefusal): void {
    const { count, ...rest } = refusal;
    const key = refusalKey({ ...rest, count: 1 });
    const known = this.#refused.get(key);
    if (known !== undefined) known.count += count;
    else if (this.#refused.size < defaultLimits.summaryRowsMax) this.#refused.set(key, { refusal, count });
    else this.others += count;
  }

  refused(): readonly Refused[] {
    return [...this.#refused.values()]
      .map(({ refusal, count }) => ({ refusal, count, isMeant: isMeant(refusal) }))
      .toSorted((a, b) => Number(a.isMeant) - Number(b.isMeant) || b.count - a.count);
  }

  alarms(): JobFacts['alarms'] {
    return [...this.#alarms].map(([text, count]) => ({ text, count }));
  }
}

function isMeant({ code, rule }: SessionRefusal): boolean {
  return code === 'policy_denied' && rule !== undefined && rule !== defaultDenyName;
}

function wouldRefuse(replay: PolicyReplay | undefined): JobFacts['would'] {
  const flips = replay?.result().flips ?? [];
  return flips
    .filter(({ change }) => change === 'allow → deny')
    .map(({ request, would, count }) => ({ request, rule: would.rule, count }))
    .toSorted((a, b) => b.count - a.count);
}
