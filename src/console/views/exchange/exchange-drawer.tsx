// One exchange: what was decided and by which rule, when what happened, with which credential.

import { type ReactElement, useState } from 'react';
import type { AuditEvent } from '../../../api/audit-event.ts';
import { segment } from '../../api/admin-client.ts';
import { curlCommand } from '../../model/curl-command.ts';
import { durationText, shortId, unknownMark } from '../../model/display.ts';
import { markOf, methodOf, outcomeText, pathOf, refsOf } from '../../model/event-facts.ts';
import { plainText } from '../../model/clean-text.ts';
import { Clean, Clock, Host } from '../../parts/clean.tsx';
import { copyText, pageClipboard } from '../../parts/copy-text.ts';
import { Icon, Mark } from '../../parts/icon.tsx';
import { useKeys } from '../../parts/keys.ts';
import { Link } from '../../parts/link.tsx';
import { addressOf } from '../../parts/location.ts';
import { useAsked, useDesk, useFeed } from '../../parts/operator.ts';
import { BodiesSection } from './bodies-section.tsx';
import { AllowSection } from './allow-section.tsx';
import { CredentialSection, DecisionSection, FactsSection, MessageSection } from './exchange-sections.tsx';
import { TimeSection } from './time-section.tsx';

interface DrawerProps {
  readonly id: string;
  readonly close: () => void;
  readonly move?: (by: 1 | -1) => void;
}

export function ExchangeDrawer({ id, close, move }: DrawerProps): ReactElement {
  const held = useFeed().held.events.findLast((one) => one.id === id);
  const asked = useAsked({
    operation: 'exchange',
    path: held === undefined ? `/v1/exchanges/${segment(id)}` : undefined,
  });
  const event = held ?? asked.value;
  return (
    <aside className="drawer" aria-label="One exchange">
      {event === undefined ? (
        <div className="empty">
          <p>{asked.fault ?? 'Looking for it…'}</p>
          <button type="button" className="btn" onClick={close}>
            Close
          </button>
        </div>
      ) : (
        <ExchangeDetail event={event} close={close} {...(move === undefined ? {} : { move })} />
      )}
    </aside>
  );
}

interface DetailProps {
  readonly event: AuditEvent;
  readonly close?: () => void;
  readonly move?: (by: 1 | -1) => void;
}

export function ExchangeDetail({ event, close, move }: DetailProps): ReactElement {
  const of = markOf(event);
  const [isAllowing, setAllowing] = useState(false);
  const allow = of === 'deny' || of === 'observe' ? () => setAllowing(!isAllowing) : undefined;
  return (
    <>
      <header className="top">
        <div className="line">
          <div className={`verd ${of}`}>
            <Mark of={of} />
            <Clean text={outcomeText(event)} max={300} />
          </div>
          <span className="sp" />
          {move === undefined ? null : (
            <span className="hm nw" aria-hidden="true">
              <kbd>K</kbd> <kbd>J</kbd>
            </span>
          )}
          {close === undefined ? null : (
            <button type="button" className="btn ic" aria-label="Close" onClick={close}>
              <Icon name="close" size={14} />
            </button>
          )}
        </div>
        <Address event={event} />
        <Meta event={event} />
        <Acts event={event} allow={allow} isAllowing={isAllowing} />
      </header>
      <div className="dbody">
        {isAllowing && allow !== undefined ? <AllowSection event={event} /> : null}
        <DecisionSection event={event} />
        <TimeSection event={event} />
        <MessageSection event={event} />
        <CredentialSection event={event} />
        <BodiesSection key={event.id} event={event} />
        <FactsSection event={event} />
      </div>
    </>
  );
}

function Address({ event }: { readonly event: AuditEvent }): ReactElement | null {
  const { host, scheme, port } = event;
  if (host === undefined) return null;
  const refs = refsOf(event);
  return (
    <div className="url">
      <span className="mt">
        <Clean text={methodOf(event)} max={32} />
      </span>
      <Host host={host} scheme={scheme} port={port} />
      <span className="p">
        <Clean text={pathOf(event)} max={1200} />
        {refs === '' ? null : (
          <>
            {' '}
            <Clean text={refs} max={120} />
          </>
        )}
      </span>
    </div>
  );
}

function Meta({ event }: { readonly event: AuditEvent }): ReactElement {
  const { sessionId, status, count } = event;
  return (
    <div className="meta">
      <Clock ms={Date.parse(event.time)} />
      {sessionId === undefined ? null : (
        <span>
          session <b title={plainText(sessionId)}>{shortId(sessionId)}</b>
        </span>
      )}
      <span>
        status <b>{status ?? unknownMark}</b>
      </span>
      <span>
        took <b>{durationText(event.durationMs)}</b>
      </span>
      {count === undefined ? null : (
        <span>
          stands for <b>{count} requests</b>
        </span>
      )}
      <span className="mono" title={plainText(event.traceId)}>
        {shortId(event.traceId)}
      </span>
    </div>
  );
}

interface ActsProps {
  readonly event: AuditEvent;
  /** Undefined where nothing was refused. */
  readonly allow: (() => void) | undefined;
  readonly isAllowing: boolean;
}

function Acts({ event, allow, isAllowing }: ActsProps): ReactElement {
  const { say } = useDesk();
  const command = curlCommand(event);
  const copy = (text: string, what: string): void => {
    void copyText(text, what, pageClipboard()).then(say);
  };
  const link = `${location.origin}${addressOf('exchange', event.traceId)}`;
  const copyCurl = command === undefined ? undefined : () => copy(command, 'the curl command');
  const copyLink = (): void => copy(link, 'a link to the exchange');
  useKeys({ a: allow, c: copyCurl, y: copyLink });
  return (
    <div className="acts">
      {allow === undefined ? null : (
        <button type="button" className="btn p" aria-expanded={isAllowing} onClick={allow}>
          Allow this…<kbd className="hm">A</kbd>
        </button>
      )}
      <button type="button" className="btn" disabled={copyCurl === undefined} onClick={copyCurl}>
        Copy as curl<kbd className="hm">C</kbd>
      </button>
      <button type="button" className="btn" onClick={copyLink}>
        Copy link<kbd className="hm">Y</kbd>
      </button>
      {event.sessionId === undefined ? null : (
        <Link className="btn" to={addressOf('sessions', event.sessionId)}>
          Session
        </Link>
      )}
    </div>
  );
}
