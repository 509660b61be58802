// A request that a rule asks about: held whole, as its client sent it and before any credential, until a person has said what becomes of it.

import { Readable } from 'node:stream';
import type { ValidatedRequest } from '../../http/request-validation.ts';
import type { AskedOf } from '../../policy/ask-rule.ts';
import type { Principal } from '../../policy/decision.ts';
import { ProxyError, type ProxyErrorOptions } from '../../protocol/error.ts';
import type { QuestionRecord } from '../../store/question-store.ts';
import type { Answered } from '../access/question-desk.ts';
import { readOrPutBack } from '../credentials/request/whole-body.ts';
import type { Approval } from './approval.ts';
import { declaredLength, hasBody } from './body-facts.ts';
import { type ClientExchange, throwIfGone } from './client-exchange.ts';
import type { ExchangeParts } from './exchange-parts.ts';
import type { Decided } from './decide-request.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { holdMsFor } from './hold-time.ts';
import { isShowable, questionOf } from './question-of.ts';

interface Holding {
  readonly client: ClientExchange;
  readonly validated: ValidatedRequest;
  readonly principal: Principal;
}

/** What was decided about the request, and what a person said of it, where the rule asks. */
export type Held = Decided & { readonly approval?: Approval };

/**
 * Gives the request back as it was decided, with its body where that was read, once a person has allowed it.
 * @throws ProxyError question_open, question_denied, question_impossible, limit_exceeded, cancelled
 */
export async function holdForAnswer(
  decided: Decided,
  holding: Holding,
  parts: ExchangeParts,
  record: ExchangeRecord,
): Promise<Held> {
  const { decision, access, basis } = decided;
  const { asks } = decision;
  if (asks === undefined) return decided;
  const { questions, limits, clock } = parts;
  const { client, validated, principal } = holding;
  if (questions === undefined) throw impossible(asks, 'nobody can be asked here');
  const bytes = await shownBody(decided, holding, { asks, parts, record });
  const { version } = basis.policy;
  const asked = questionOf({
    head: validated.head,
    access,
    isUpgrade: validated.upgrade !== undefined,
    body: bytes,
    asks,
    principal,
    policyName: decision.rule.policy,
    policyVersion: version,
    traceId: record.traceId,
  });
  const begunMs = clock();
  const holdMs = holdMsFor(validated.head.headers, limits);
  const answered = await questions.ask(asked, principal, { holdMs, signal: client.signal });
  noteAnswer(answered, clock() - begunMs, record);
  throwIfGone(client);
  const approved = allowedBy(answered, asks);
  // The question is about what that policy made of it.
  if (parts.policy().version !== version)
    throw new ProxyError(
      'question_open',
      'The policy changed while somebody was asked; send the request again.',
    );
  const approval = {
    use: async () => {
      if (!(await questions.use(approved))) throw usedUp(approved);
    },
  };
  if (bytes === undefined || !hasBody(validated)) return { ...decided, approval };
  return { ...decided, body: bodyOf(bytes), approval };
}

interface Showing {
  readonly asks: AskedOf;
  readonly parts: ExchangeParts;
  readonly record: ExchangeRecord;
}

/** The whole body. Undefined: it cannot be shown, and the rule asks all the same. @throws ProxyError question_impossible */
async function shownBody(
  { body: read }: Decided,
  { client, validated, principal }: Holding,
  { asks, parts, record }: Showing,
): Promise<Uint8Array | undefined> {
  const { askBodyBytesMax: bytesMax, askBodyTimeoutMs: timeoutMs } = parts.limits;
  if (validated.upgrade !== undefined) {
    if (asks.body === 'unseen') return undefined;
    throw impossible(asks, 'what goes over a WebSocket cannot be shown to anybody first');
  }
  if (!hasBody(validated)) return new Uint8Array(0);
  const length = declaredLength(validated);
  if (length !== undefined && length > bytesMax) {
    if (asks.body === 'unseen') return undefined;
    throw tooLong(asks, bytesMax);
  }
  const room = parts.held.reserve(principal.sessionId, length ?? bytesMax);
  record.keeps(() => room.release());
  client.sendContinue();
  const body = await readOrPutBack(read ?? client.body, { bytesMax, timeoutMs });
  if (asks.body === 'unseen') return typeof body === 'string' ? undefined : body;
  if (body === 'body_too_large') throw tooLong(asks, bytesMax);
  if (body === 'timeout')
    throw impossible(asks, `its body did not end within ${String(timeoutMs)} ms (askBodyTimeoutMs)`, {
      limit: 'askBodyTimeoutMs',
    });
  if (!isShowable({ head: validated.head, body }))
    throw impossible(asks, 'its body is encoded or no text, so that it cannot be shown');
  return body;
}

function bodyOf(bytes: Uint8Array): Readable {
  return new Readable({
    read() {
      if (bytes.length > 0) this.push(bytes);
      this.push(null);
    },
  });
}

function noteAnswer(answered: Answered, heldMs: number, record: ExchangeRecord): void {
  if (!('record' in answered)) return;
  const { id, answer, decidedBy } = answered.record;
  const said = {
    ...(answer === undefined ? {} : { answer }),
    ...(decidedBy === undefined ? {} : { by: decidedBy }),
  };
  const told = answered.kind === 'open' ? {} : said;
  record.questioned({ id, outcome: answered.kind, ...told, heldMs: Math.max(0, Math.round(heldMs)) });
}

/** @throws ProxyError for everything but a yes */
function allowedBy(answered: Answered, asks: AskedOf): QuestionRecord {
  switch (answered.kind) {
    case 'allowed':
      return answered.record;
    case 'denied': {
      const { id, note } = answered.record;
      const why = note === undefined ? '' : `: ${note}`;
      throw new ProxyError(
        'question_denied',
        `Somebody was asked about it, and said no (question ${id})${why}`,
        {
          next: 'Do not send it again: the answer stays. Go on without it or end the task.',
        },
      );
    }
    case 'open': {
      const { id } = answered.record;
      throw new ProxyError(
        'question_open',
        `The rule ${asks.rule} asks a person about it, who has not answered yet (question ${id}).`,
        {
          limit: 'askTimeoutMs',
          next: `The question stays open. Go on with what works without it, and send the very same request again later: it joins the question ${id}.`,
        },
      );
    }
    case 'nobody':
      throw impossible(asks, 'nobody is there who could answer', {
        next: 'Go on without it, or try again later.',
      });
    case 'full':
      throw new ProxyError(
        'question_impossible',
        `The rule ${asks.rule} asks a person about it, and there are too many questions already (${answered.bound}).`,
        { limit: answered.bound, next: 'Go on without it; asking again does not help now.' },
      );
  }
}

function usedUp({ id }: QuestionRecord): ProxyError {
  return new ProxyError(
    'question_open',
    `What was allowed once was used by another request, or taken back (question ${id}); send it again to ask anew.`,
  );
}

function tooLong(asks: AskedOf, bytesMax: number): ProxyError {
  const why = `its body is longer than ${String(bytesMax)} bytes (askBodyBytesMax), or has no end`;
  return impossible(asks, why, { limit: 'askBodyBytesMax' });
}

function impossible(
  { rule }: AskedOf,
  why: string,
  more: Pick<ProxyErrorOptions, 'limit' | 'next'> = {},
): ProxyError {
  return new ProxyError('question_impossible', `The rule ${rule} asks a person about it, and ${why}.`, more);
}
