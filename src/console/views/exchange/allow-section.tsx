// "Allow this…": the narrowest rule that would let a refused request through, what it would have opened, and its two exits.

import { type ReactElement, useEffect, useState } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import type { AuditEvent } from '../../../api/audit-event.ts';
import { faultText, segment } from '../../api/admin-client.ts';
import {
  allowRule,
  type AllowScope,
  type ForClaim,
  pushedRefs,
  pushOf,
  scopesOf,
  whyNotAllowed,
  wouldOpen,
} from '../../model/allow-rule.ts';
import { accessesOf, catalogRule, type OfferedService, servicesOf } from '../../model/catalog-rule.ts';
import { momentText, plural } from '../../model/display.ts';
import { urlOf } from '../../model/event-facts.ts';
import { Clean } from '../../parts/clean.tsx';
import { copyText, pageClipboard } from '../../parts/copy-text.ts';
import { Link } from '../../parts/link.tsx';
import { addressOf } from '../../parts/location.ts';
import { useAsked, useDesk, useFeed } from '../../parts/operator.ts';
import { Segments } from '../../parts/segments.tsx';
import { handToDraft } from '../policy/hand-to-draft.ts';

const scopeNames: Readonly<Record<AllowScope, string>> = {
  this: 'this path',
  below: 'its folder and below',
  host: 'every path of the host',
};

/** What the rule opens: something of what was refused, or what the catalogue has of the service. */
type Choice = AllowScope | `catalog/${string}`;

const choiceOf = ({ service, access }: OfferedService): Choice => `catalog/${service.entry} ${access}`;

/** Each with what a rule may let through for it. */
function offeredFor(event: AuditEvent): readonly OfferedService[] {
  return servicesOf(event).flatMap((service) => accessesOf(event).map((access) => ({ service, access })));
}

export function AllowSection({ event }: { readonly event: AuditEvent }): ReactElement {
  const why = whyNotAllowed(event);
  return (
    <section className="sec" aria-label="Allow this">
      <div className="sech">
        <h2>Allow this</h2>
        <span className="sub">nothing is changed here</span>
      </div>
      {why === undefined ? (
        <RuleChoice event={event} />
      ) : (
        <p className="m2">
          <Clean text={why} max={600} />
        </p>
      )}
    </section>
  );
}

function RuleChoice({ event }: { readonly event: AuditEvent }): ReactElement {
  const { say } = useDesk();
  const scopes = scopesOf(event);
  const services = offeredFor(event);
  const [chosen, setChosen] = useState<Choice>(scopes[0] ?? 'host');
  const [isForOwn, setForOwn] = useState(true);
  const own = useRepository(event);
  const claim = isForOwn ? own : undefined;
  const service = services.find((one) => choiceOf(one) === chosen);
  const scope = scopes.find((one) => one === chosen) ?? scopes[0] ?? 'host';
  const text = service === undefined ? allowRule(event, scope, claim) : catalogRule(event, service, claim);
  return (
    <>
      <div className="form">
        <Opens event={event} services={services} chosen={chosen} choose={setChosen} />
        <span>For</span>
        <Segments
          label="For"
          value={claim === undefined ? 'all' : 'repository'}
          choices={[
            {
              value: 'repository',
              name: 'its repository',
              isOff: own === undefined,
              why: own?.value ?? 'Its token names no repository',
            },
            { value: 'all', name: 'every session' },
          ]}
          choose={(value) => setForOwn(value === 'repository')}
        />
      </div>
      <pre className="told yaml" tabIndex={0} aria-label="The rule">
        {text}
      </pre>
      <Checked event={event} text={text} />
      {service === undefined ? <Opened event={event} scope={scope} /> : null}
      <div className="acts">
        <button
          type="button"
          className="btn p"
          onClick={() => void copyText(text, 'the rule', pageClipboard()).then(say)}
        >
          Copy the rule
        </button>
        <DraftExit text={text} />
        <GrantExit event={event} />
      </div>
    </>
  );
}

/** Something of what was refused, or what the catalogue has of the service. */
function Opens({
  event,
  services,
  chosen,
  choose,
}: {
  readonly event: AuditEvent;
  readonly services: readonly OfferedService[];
  readonly chosen: Choice;
  readonly choose: (choice: Choice) => void;
}): ReactElement {
  const ofRequest = scopesOf(event).map((value): { readonly value: Choice; readonly name: string } => ({
    value,
    name: event.git === undefined ? scopeNames[value] : 'just that of this repository',
  }));
  const ofServices = services.map((one) => ({
    value: choiceOf(one),
    name: `${one.access === 'read' ? 'reads' : 'reads and writes'} of ${one.service.title}`,
  }));
  return (
    <>
      <span>Opens</span>
      <Segments label="Opens" value={chosen} choices={[...ofRequest, ...ofServices]} choose={choose} />
    </>
  );
}

/** By which a rule can be for the sessions of one repository alone. */
function useRepository({ sessionId }: AuditEvent): ForClaim | undefined {
  const path = sessionId === undefined ? undefined : `/v1/sessions/${segment(sessionId)}`;
  const claims = useAsked({ operation: 'session', path }).value?.claims;
  const value = claims?.['repository'];
  return typeof value === 'string' ? { name: 'repository', value } : undefined;
}

/** Asks the gateway what that rule would say of this very request: what is proposed is what holds. */
function Checked({
  event,
  text,
}: {
  readonly event: AuditEvent;
  readonly text: string;
}): ReactElement | null {
  const { client } = useDesk();
  const [told, setTold] = useState<{ readonly text: string; readonly said: string }>();
  const url = urlOf(event);
  const { method = 'CONNECT', sessionId: session } = event;
  const push = pushOf(event);
  const isAsked = url !== undefined && push !== 'partly';
  const pushText = JSON.stringify(push);
  useEffect(() => {
    if (!isAsked) return undefined;
    let isGone = false;
    const files = [{ name: 'proposed.yaml', text }];
    // The text of what is sent: the same push is asked for once.
    const pushed = pushText === undefined ? {} : (JSON.parse(pushText) as object);
    const body = { method, url, files, ...pushed, ...(session === undefined ? {} : { session }) };
    client.post('explainPolicy', '/v1/policy/explain', body).then(
      (explained) => isGone || setTold({ text, said: saidOf(explained) }),
      (error: unknown) => isGone || setTold({ text, said: faultText(error) }),
    );
    return () => {
      isGone = true;
    };
  }, [client, isAsked, method, url, session, text, pushText]);
  if (told?.text !== text) return null;
  return (
    <p className="sub after" role="status">
      <Clean text={told.said} max={400} />
    </p>
  );
}

function saidOf({ effect, steps }: OutputOf<'explainPolicy'>): string {
  if (effect === 'allow') return 'Asked the gateway: that rule allows this request.';
  const why = steps.map(({ because }) => because).join('; ');
  return `Asked the gateway: that rule would not allow this request${why === '' ? '' : `: ${why}`}.`;
}

function Opened({ event, scope }: { readonly event: AuditEvent; readonly scope: AllowScope }): ReactElement {
  const { held } = useFeed();
  const [opened] = useState(() => Date.now());
  const since = held.sinceMs === undefined ? '' : ` since ${momentText(held.sinceMs, opened)}`;
  return (
    <p className="sub after">
      Of what was refused{since}, it would have opened{' '}
      {plural(wouldOpen(held.events, event, scope), 'request', 'requests')}, as far as events are held here.
    </p>
  );
}

/** One exit is the editor. */
function DraftExit({ text }: { readonly text: string }): ReactElement {
  const desk = useDesk();
  const [isBusy, setBusy] = useState(false);
  const hand = async (): Promise<void> => {
    setBusy(true);
    if (!(await handToDraft(desk, text))) setBusy(false);
  };
  return (
    <button type="button" className="btn" disabled={isBusy} onClick={() => void hand()}>
      Add to the draft…
    </button>
  );
}

/** A grant can be for pushes of some refs alone. */
function refsGiven(event: AuditEvent): { readonly refs?: string } {
  const refs = pushedRefs(event);
  return refs.length === 0 ? {} : { refs: refs.join(' ') };
}

/** The other exit is a grant for a time, upon a request of the workload. */
function GrantExit({ event }: { readonly event: AuditEvent }): ReactElement | null {
  const { sessionId: session, host } = event;
  const asked = useAsked({
    operation: 'accessRequests',
    path: session === undefined ? undefined : '/v1/access',
    query: { state: 'pending', session },
  }).value?.items;
  const same = asked?.filter((one) => one.asked.host === host) ?? [];
  const one = same.find(({ trace }) => trace === event.traceId) ?? same[0];
  if (one !== undefined)
    return (
      <Link className="btn" to={addressOf('access', '', { id: one.id, ...refsGiven(event) })}>
        {pushedRefs(event).length === 0 ? 'Grant for a time…' : 'Grant these refs for a time…'}
      </Link>
    );
  return (
    <span className="sub">
      {asked === undefined ? '' : 'For a time: once the session asks for it, it stands in Access.'}
    </span>
  );
}
