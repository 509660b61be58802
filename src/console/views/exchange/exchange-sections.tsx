// The parts of one exchange: the decision as the policy explains it, what was told, the credential by name, and the facts.

import { type ReactElement, type ReactNode, useEffect, useState } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import type { AuditEvent } from '../../../api/audit-event.ts';
import { ApiFault } from '../../api/admin-client.ts';
import { bytesText, momentText, unknownMark } from '../../model/display.ts';
import { markOf, urlOf } from '../../model/event-facts.ts';
import { Clean } from '../../parts/clean.tsx';
import { Icon, Mark } from '../../parts/icon.tsx';
import { useDesk } from '../../parts/operator.ts';
import { DecisionSteps } from '../policy/decision-steps.tsx';

type Explained = OutputOf<'explainPolicy'>;

interface Explanation {
  readonly explained?: Explained;
  readonly fault?: string;
}

/** Asks how the policy of then decided, where its text is kept; else how the one in force decides the same request. */
function useExplanation(event: AuditEvent): Explanation {
  const { client } = useDesk();
  const [explanation, setExplanation] = useState<Explanation>({});
  const url = urlOf(event);
  const { method, sessionId: session, kind, policyVersion: version, time: at } = event;
  useEffect(() => {
    if (url === undefined || method === undefined || kind !== 'exchange') return undefined;
    let isGone = false;
    const whose = session === undefined ? {} : { session };
    const body = { method, url, at, ...whose, ...(version === undefined ? {} : { version }) };
    client.post('explainPolicy', '/v1/policy/explain', body).then(
      (explained) => isGone || setExplanation({ explained }),
      (error: unknown) =>
        isGone ||
        setExplanation({ fault: error instanceof ApiFault ? error.message : 'It cannot be asked.' }),
    );
    return () => {
      isGone = true;
    };
  }, [client, url, method, session, kind, version, at]);
  return explanation;
}

export function DecisionSection({ event }: { readonly event: AuditEvent }): ReactElement | null {
  const { explained, fault } = useExplanation(event);
  if (event.kind !== 'exchange' && event.kind !== 'stream') return null;
  const { rule, policyVersion, deniedField } = event;
  const isOther =
    explained !== undefined && policyVersion !== undefined && explained.policy !== policyVersion;
  return (
    <section className="sec">
      <div className="sech">
        <h2>Decision</h2>
        <span className="sub">
          {isOther
            ? 'as the policy that is in force now would decide; it was another then'
            : 'every rule for this host, in order'}
        </span>
      </div>
      {explained === undefined ? (
        <div className="steps">
          <div className="step fin">
            <Mark of={markOf(event)} />
            <span className="rn">
              <Clean text={rule ?? event.errorCode ?? 'not known'} max={120} />
            </span>
            <span className="m2">{fault === undefined ? 'decided' : <Clean text={fault} />}</span>
          </div>
        </div>
      ) : (
        <DecisionSteps explained={explained} />
      )}
      {isOther && rule !== undefined && rule !== explained.rule ? (
        <p className="sub after">
          Then it was <Clean text={rule} max={120} /> of policy <span className="mono">{policyVersion}</span>.
        </p>
      ) : null}
      {deniedField === undefined ? null : (
        <p className="sub after">
          A rule would have allowed it but for the field <Clean text={deniedField} max={120} />. Values of
          fields are not recorded.
        </p>
      )}
    </section>
  );
}

export function MessageSection({ event }: { readonly event: AuditEvent }): ReactElement | null {
  const { message, errorCode, limit, claimed } = event;
  if (message === undefined && claimed === undefined) return null;
  return (
    <section className="sec">
      <div className="sech">
        <h2>{markOf(event) === 'deny' ? 'Why' : 'What happened'}</h2>
        <span className="sub mono">{[errorCode, limit].filter((one) => one !== undefined).join(', ')}</span>
      </div>
      {message === undefined ? null : (
        <div className="told">
          <Clean text={message} max={2000} />
        </div>
      )}
      {claimed === undefined ? null : (
        <dl className="kv after">
          {Object.entries(claimed).map(([name, value]) => (
            <Fact key={name} name={name}>
              <Clean text={value} />
            </Fact>
          ))}
        </dl>
      )}
    </section>
  );
}

export function CredentialSection({ event }: { readonly event: AuditEvent }): ReactElement | null {
  const { injected = [], offered } = event;
  if (event.kind !== 'exchange' || event.verdict === 'deny') return null;
  return (
    <section className="sec">
      <div className="sech">
        <h2>Credential</h2>
        <span className="sub">by name; no value is recorded</span>
      </div>
      <dl className="kv">
        <Fact name="put on">
          {injected.length === 0 ? <span className="m">none</span> : null}
          {injected.map((name) => (
            <span className="key" key={name}>
              <Icon name="key" size={12} />
              <Clean text={name} max={120} />
            </span>
          ))}
        </Fact>
        {offered === undefined ? null : (
          <Fact name="not asked for">
            <Clean text={offered.filter((name) => !injected.includes(name)).join(', ')} />
          </Fact>
        )}
      </dl>
    </section>
  );
}

export function FactsSection({ event }: { readonly event: AuditEvent }): ReactElement {
  const { protocol, upstreamProtocol, address, aliases, git, details, requestBytes, responseBytes } = event;
  const isExchange = event.kind === 'exchange' || event.kind === 'stream';
  const spoken = [protocol ?? unknownMark, upstreamProtocol ?? unknownMark];
  const facts: readonly (readonly [name: string, value: ReactNode])[] = [
    ['protocol', isExchange ? `${spoken[0]} inside, ${spoken[1]} outside` : undefined],
    ['address', address === undefined ? undefined : <Clean text={address} />],
    ['alias of', aliases === undefined ? undefined : <Clean text={aliases.join(', ')} />],
    ['sent, received', isExchange ? `${bytesText(requestBytes)}, ${bytesText(responseBytes)}` : undefined],
    ['git', git === undefined ? undefined : <Clean text={gitText(git)} max={1000} />],
    [
      'policy',
      event.policyVersion === undefined ? undefined : <span className="mono">{event.policyVersion}</span>,
    ],
    ['principal', event.principal === undefined ? undefined : <Clean text={event.principal} max={600} />],
    [
      'session',
      event.sessionId === undefined ? undefined : (
        <span className="mono">
          <Clean text={event.sessionId} />
        </span>
      ),
    ],
    [
      'trace',
      <span key="trace" className="mono">
        {event.traceId}
      </span>,
    ],
    ['began', <span key="began">{momentText(Date.parse(event.time), 0)}</span>],
    [
      'cut',
      event.cut === undefined ? undefined : `too long for an event: ${Object.keys(event.cut).join(', ')}`,
    ],
    ...Object.entries(details ?? {}).map(
      ([name, value]) => [name, <Clean key={name} text={detailText(value)} max={600} />] as const,
    ),
  ];
  return (
    <section className="sec">
      <div className="sech">
        <h2>Facts</h2>
      </div>
      <dl className="kv">
        {facts.map(([name, value]) =>
          value === undefined ? null : (
            <Fact key={name} name={name}>
              {value}
            </Fact>
          ),
        )}
      </dl>
    </section>
  );
}

function gitText({ operation, repository, refs = [], refsTotal }: NonNullable<AuditEvent['git']>): string {
  const said = refs.map(({ ref, change }) => `${change} ${ref}`).join(', ');
  const more = refsTotal === undefined ? '' : `, of ${refsTotal}`;
  return `${operation} ${repository}${said === '' ? '' : `: ${said}${more}`}`;
}

function detailText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }): ReactElement {
  return (
    <>
      <dt>
        <Clean text={name} max={80} />
      </dt>
      <dd>{children}</dd>
    </>
  );
}
