// Where other systems send what people decided: who they are, what they may decide, and the answer in the store.

import { ProxyError } from '../protocol/error.ts';
import { answerQuestion } from './access/decide-question.ts';
import { VisibleEvents } from './admin/visible-events.ts';
import { observedSink } from './audit/alarms.ts';
import { SessionAudit } from './audit/session-audit.ts';
import { listenCallbacks } from './callbacks/callback-server.ts';
import { type Callback, readCallback, type ReceivedCallback } from './callbacks/read-callback.ts';
import { SeenMessages } from './callbacks/seen-messages.ts';
import type { CallbackSender } from './config/callbacks-settings.ts';
import type { CredentialSource } from './credentials/sources/credential-source.ts';
import { openCredentialSource } from './credentials/sources/credential-source.ts';
import type { Start } from './gateway-start.ts';
import { webhookKey } from './notices/standard-webhook.ts';
import type { Observed } from './open-observing.ts';

/** @throws ProxyError gateway_port_unusable, config_invalid */
export async function openCallbacks(observed: Observed & Pick<Start, 'environment'>): Promise<void> {
  const { config, environment, parts, stack, clock, log, onLimit } = observed;
  if (config.callbacks === undefined) return;
  const { listen, senders } = config.callbacks;
  const opened = new Map<string, OpenSender>();
  for (const [name, sender] of senders) opened.set(name, await openSender(name, sender, environment, clock));
  const records = new SessionAudit(observedSink(observed.audit, observed.onSessionEvent));
  const seen = new SeenMessages();
  const server = stack.use(
    await listenCallbacks({
      listen,
      log,
      onLimit,
      onStranger: (error, traceId) => records.strangerRefused(error, clock(), traceId),
      isKnown: (name) => opened.has(name),
      take: async (name, received) => {
        const sender = opened.get(name);
        if (sender === undefined) throw new ProxyError('operation_unknown', 'there is no such path here');
        await decide({ observed, records, seen }, sender, received);
      },
    }),
  );
  parts.loops?.keepForOperators(listen.address, server.port);
  log('info', `decisions of other systems are taken on ${listen.address}:${server.port}`);
}

interface OpenSender extends CallbackSender {
  readonly name: string;
  readonly source: CredentialSource;
}

/** A secret of the wrong form is told at the start, not when somebody waits. */
async function openSender(
  name: string,
  sender: CallbackSender,
  environment: Start['environment'],
  clock: () => number,
): Promise<OpenSender> {
  const source = openCredentialSource(`of callbacks.${name}`, sender.secret, environment);
  const secret = (await source.read(clock())).reveal();
  if (sender.format === 'webhook') webhookKey(secret, `of callbacks.${name}`);
  return { ...sender, name, source };
}

interface Desk {
  readonly observed: Observed;
  readonly records: SessionAudit;
  readonly seen: SeenMessages;
}

/** @throws ProxyError operator_unknown, operator_refused, operation_unknown, usage, state_changed, audit_unavailable */
async function decide(desk: Desk, sender: OpenSender, received: ReceivedCallback): Promise<void> {
  const { name, format, source } = sender;
  const nowMs = desk.observed.clock();
  const secret = (await source.read(nowMs)).reveal();
  const callback = readCallback(received, { name, format, secret }, nowMs);
  await desk.seen.once(
    name,
    callback.messageId,
    nowMs,
    async () => await answer(desk, sender, callback, nowMs),
  );
}

async function answer(
  { observed: { store, config }, records }: Desk,
  { name, people }: OpenSender,
  { user, question, decision, note }: Callback,
  nowMs: number,
): Promise<void> {
  const person = people.get(user);
  if (person === undefined)
    throw new ProxyError(
      'operator_unknown',
      `the configuration binds that user of ${name} to nobody (callbacks.senders.${name}.people)`,
    );
  const record = await store.questions.find(question);
  if (record === undefined || !(await new VisibleEvents(person, store).sees(record)))
    throw new ProxyError('operation_unknown', 'there is no question of that id');
  const desk = {
    questions: store.questions,
    operator: `${person.name} by ${name}`,
    record: (step: Parameters<SessionAudit['record']>[0]) => records.record(step),
    limits: config.limits,
  };
  await answerQuestion(desk, { record, nowMs, note }, decision);
}
