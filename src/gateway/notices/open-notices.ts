// Receivers of notices: each has its flood bound and its queue behind the audit, and what finds no room is dropped and counted.

import { readFile } from 'node:fs/promises';
import { checkCertificates } from '../../pki/pem.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { Secret } from '../../protocol/secret.ts';
import type { NoticeReceiver } from '../config/notices-settings.ts';
import type { PlainSourceConfig } from '../credentials/sources/source-config.ts';
import { openCredentialSource } from '../credentials/sources/credential-source.ts';
import type { ServiceOctetFetch } from '../forward/service-fetch.ts';
import { DeliveryQueue } from '../telemetry/delivery-queue.ts';
import type { EventTaker } from '../telemetry/event-tap.ts';
import type { TelemetryNeeds } from '../telemetry/telemetry-needs.ts';
import { cloudEvent, cloudEventType } from './cloud-event.ts';
import { NoticeFlood } from './notice-flood.ts';
import { type Notice, noticeKindOf, noticeOf } from './notice.ts';
import { type NoticeMessage, type NoticeSender, sendNotice } from './send-notice.ts';
import { slackMessage } from './slack-message.ts';
import { webhookKey } from './standard-webhook.ts';

export interface NoticesNeeds extends TelemetryNeeds {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly fetch: ServiceOctetFetch;
  /** What the store knows this gateway by. */
  readonly gateway: string;
}

export interface OpenNotices {
  readonly takers: readonly EventTaker[];
  /** Whether somebody is told of questions, and takes what is sent. */
  readonly reachesPeople: () => boolean;
}

/** @throws ProxyError config_invalid */
export async function openNotices(
  receivers: readonly NoticeReceiver[],
  needs: NoticesNeeds,
): Promise<OpenNotices> {
  const opened = await Promise.all(receivers.map((one) => openReceiver(one, needs)));
  return {
    takers: opened.map(({ take }) => take),
    reachesPeople: () => opened.some(({ isAsked, queue }) => isAsked && !queue.isFailing),
  };
}

interface OpenReceiver {
  readonly take: EventTaker;
  readonly isAsked: boolean;
  readonly queue: DeliveryQueue;
}

async function openReceiver(receiver: NoticeReceiver, needs: NoticesNeeds): Promise<OpenReceiver> {
  const { name, format, tell, perMinute, link } = receiver;
  const { limits, stack, log, onLimit, onCount, clock, gateway } = needs;
  const sender = await senderOf(receiver, needs);
  const queue = stack.use(
    new DeliveryQueue({
      name: `notices ${name}`,
      // One by one: each has a signature of its own.
      batchEventsMax: 1,
      flushDelayMs: 0,
      deliver: async ([text = ''], signal) => await sendNotice(sender, messageOf(text), signal),
      limits,
      log,
      onLimit,
      onCount,
    }),
  );
  const flood = new NoticeFlood(perMinute, clock());
  const kinds = new Set(tell);
  const write = (notice: Notice, untold: number): string =>
    format === 'slack'
      ? slackMessage(notice, untold, { link, canDecide: receiver.canDecide })
      : cloudEvent(notice, untold, { gateway, link });
  return {
    isAsked: kinds.has('question'),
    queue,
    take: (event) => {
      const kind = noticeKindOf(event);
      if (kind === undefined || !kinds.has(kind)) return;
      const notice = noticeOf(event, kind);
      const admitted = flood.admit(notice, clock());
      if (admitted === undefined) return;
      queue.offer(JSON.stringify({ id: notice.id, body: write(notice, admitted.untold) }));
    },
  };
}

function messageOf(text: string): NoticeMessage {
  // Written above.
  return JSON.parse(text) as NoticeMessage;
}

async function senderOf(
  { name, url, secret, format, ca }: NoticeReceiver,
  { environment, clock, fetch, limits }: NoticesNeeds,
): Promise<NoticeSender> {
  const of = (what: string, source: PlainSourceConfig): (() => Promise<Secret<string>>) => {
    const opened = openCredentialSource(`of notices.${name}.${what}`, source, environment);
    return () => opened.read(clock());
  };
  const key = secret === undefined ? undefined : of('secret', secret);
  // A secret of the wrong form is told at the start, not with the first alarm.
  if (key !== undefined) webhookKey((await key()).reveal(), `of notices.${name}`);
  const fixed = typeof url === 'string' ? new Secret(url) : undefined;
  return {
    name,
    url: typeof url === 'string' ? () => Promise.resolve(fixed ?? new Secret(url)) : of('urlFrom', url),
    secret: key,
    contentType: format === 'slack' ? 'application/json; charset=utf-8' : cloudEventType,
    ca: (await Promise.all(ca.map((path) => readFile(path, 'utf8')))).flatMap(checkCertificates),
    fetch,
    timeoutMs: Math.min(limits.telemetryTimeoutMs, defaultLimits.noticeTimeoutMs),
    clock,
  };
}
