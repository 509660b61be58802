// What the gateway serves at its own name: a workload that was denied leaves a request, and reads what became of it.

import { randomInt } from 'node:crypto';
import { HeaderList } from '../../http/header-list.ts';
import { defaultDenyName } from '../../policy/compiled-policy.ts';
import type { Decision, Policy, Principal } from '../../policy/decision.ts';
import { accessHost } from '../../policy/granted-policy.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { AccessRecord, NewAccessRequest, AccessStore } from '../../store/access-store.ts';
import { type AskedAccess, describeAsked, parseAccessRequest } from './access-request.ts';
import type { SessionAudit } from '../audit/session-audit.ts';

/** Where requests for access are left. Plain http: the way to the gateway is its own TLS. */
export const accessUrl = `http://${accessHost}/access`;
/** Letters and digits that nobody confuses when they are read to somebody. */
const idAlphabet = 'abcdefghjkmnpqrstuvwxyz23456789';
const idLength = 10;

export interface AccessDeskOptions {
  readonly store: AccessStore;
  readonly audit: SessionAudit;
  /** The policy with the grants in force. */
  readonly policy: () => Policy;
  readonly limits: Limits;
  readonly clock: () => number;
}

/** A request to the gateway's own name. */
export interface DeskRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly principal: Principal;
}

export interface DeskResponse {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export class AccessDesk {
  readonly #options: AccessDeskOptions;

  constructor(options: AccessDeskOptions) {
    this.#options = options;
  }

  /** Responds at once: nobody is waited for. Throws ProxyError for what cannot be taken. */
  async respond(request: DeskRequest): Promise<DeskResponse> {
    const { method, path, principal } = request;
    const id = /^\/access\/([a-z0-9]{1,40})$/.exec(path)?.[1];
    if (path === '/access' && method === 'POST') return this.#file(request);
    if (method === 'GET' || method === 'HEAD') {
      if (id !== undefined) return this.#state(id, principal);
      if (path === '/access') return this.#list(principal);
      if (path === '/') return help;
    }
    throw new ProxyError(
      'access_unknown',
      `The gateway responds to POST ${accessUrl}, GET ${accessUrl}, GET ${accessUrl}/ID and GET http://${accessHost}/policy here, and nothing else.`,
    );
  }

  async #file({ body, principal }: DeskRequest): Promise<DeskResponse> {
    const { limits, clock, store } = this.#options;
    // What is granted would be more than the session has that made it.
    if (principal.narrowed !== undefined)
      throw new ProxyError(
        'policy_denied',
        'This session was narrowed by another one and gets no access of its own; ask whoever started it.',
      );
    const asked = parseAccessRequest(body, limits);
    const nowMs = clock();
    const already = this.#alreadyDecided(asked, principal, nowMs);
    if (already !== undefined) return already;
    const request: NewAccessRequest = {
      ...asked,
      id: Array.from({ length: idLength }, () => idAlphabet[randomInt(idAlphabet.length)]).join(''),
      sessionId: principal.sessionId,
      principalId: principal.id,
      createdMs: nowMs,
      pendingUntilMs: nowMs + limits.accessPendingLifetimeMs,
    };
    const outcome = await store.file(request, limits);
    switch (outcome.kind) {
      case 'filed':
        await this.#record(request);
        return { status: 202, body: stateOf({ ...request, state: 'pending' }) };
      case 'already':
        return { status: 200, body: stateOf(outcome.record) };
      case 'full':
        throw new ProxyError(
          'limit_exceeded',
          `No more requests for access are taken: there are ${limits[outcome.bound]} already (${outcome.bound}). Asking again does not help.`,
          { limit: outcome.bound },
        );
    }
  }

  /** What the policy says by a rule needs no operator, and cannot be changed by a grant. */
  #alreadyDecided(asked: AskedAccess, principal: Principal, nowMs: number): DeskResponse | undefined {
    const decision = this.#decide(asked, principal, nowMs);
    const request = describeAsked(asked);
    if (decision.effect === 'allow') {
      const message =
        decision.asks === undefined
          ? 'The policy allows this already; send the request itself.'
          : 'Send the request itself: a person is asked about it then, and it waits for what they say.';
      return { status: 200, body: { status: 'allowed', request, rule: decision.rule.name, message } };
    }
    if (decision.rule.name === defaultDenyName) return undefined;
    const message =
      'A rule of the policy refuses this, and a grant does not go over a rule. The request was not left with anybody; only a change of the policy would help.';
    return {
      status: 403,
      body: { status: 'refused', request, rule: decision.rule.name, detail: decision.reason, message },
    };
  }

  #decide({ scheme, host, port, method, path }: AskedAccess, principal: Principal, nowMs: number): Decision {
    const policy = this.#options.policy();
    const destination = { scheme, host, port };
    const connect = policy.decide(principal, { depth: 'connect', destination }, nowMs);
    // All of a host: an allow for the connection says nothing about its requests.
    if (path === undefined || method === undefined) {
      return connect.effect === 'allow' ? { ...connect, ...openQuestion } : connect;
    }
    const access = {
      depth: 'request',
      destination,
      method,
      path,
      query: '',
      headers: new HeaderList(),
    } as const;
    const decision = policy.decide(principal, access, nowMs);
    // An allow until the refs of a push are read says nothing about them.
    return decision.awaits === undefined ? decision : { ...decision, ...openQuestion };
  }

  async #state(id: string, principal: Principal): Promise<DeskResponse> {
    const record = await this.#options.store.find(id);
    if (record === undefined || !isTheirs(record, principal))
      throw new ProxyError('access_unknown', `There is no request for access ${id} of this session.`);
    return { status: 200, body: stateOf(record) };
  }

  async #list({ sessionId }: Principal): Promise<DeskResponse> {
    const records = await this.#options.store.list({ sessionId, limit: defaultLimits.accessListedMax });
    return { status: 200, body: { requests: records.map(stateOf) } };
  }

  /** Stored before the workload gets its response, as the steps of a session are. */
  async #record(request: NewAccessRequest): Promise<void> {
    const { id, sessionId, principalId, reason, traceId, createdMs } = request;
    const asked = describeAsked(request);
    await this.#options.audit.record({
      action: 'access_requested',
      nowMs: createdMs,
      sessionId,
      principal: principalId,
      message: `Access request ${id}: ${asked}.`,
      details: { id, asked, reason, ...(traceId === undefined ? {} : { deniedTraceId: traceId }) },
    });
  }
}

const openQuestion = {
  effect: 'deny',
  rule: { name: defaultDenyName },
  reason: '',
  operatorReason: '',
} as const;

const help: DeskResponse = {
  status: 200,
  body: {
    message: `This is the gateway. GET http://${accessHost}/policy tells what this session may do. To ask for access to something that was denied, POST JSON to ${accessUrl}.`,
    example: { url: 'https://example.com/path', method: 'GET', reason: 'why the task needs it' },
  },
};

/** A later session of the same principal may read what became of the request of an earlier one. */
function isTheirs(record: AccessRecord, principal: Principal): boolean {
  return record.sessionId === principal.sessionId || record.principalId === principal.id;
}

/** For a language model as well as a program: what the state is, and what to do. */
function stateOf(record: AccessRecord): Readonly<Record<string, unknown>> {
  const { id, state, note, terms } = record;
  const ends = terms === undefined ? undefined : new Date(terms.endsMs).toISOString();
  return {
    id,
    status: state,
    request: describeAsked(record),
    ...(terms === undefined ? {} : { scope: terms.scope, ends }),
    ...(terms?.refs === undefined ? {} : { refs: terms.refs }),
    ...(note === undefined ? {} : { note }),
    state_url: `${accessUrl}/${id}`,
    message: adviceOf(record, ends),
  };
}

function adviceOf({ state, id }: AccessRecord, ends: string | undefined): string {
  switch (state) {
    case 'pending':
      return (
        'The request was left for an operator, and stays refused until one grants it; perhaps nobody is there. ' +
        'Do not wait or ask in a loop: go on with what works without it, or end the task and report this id. ' +
        `GET ${accessUrl}/${id} tells the state.`
      );
    case 'granted':
      return `Granted until ${ends ?? 'its end'}: send the original request again. No credential goes with it, and private addresses stay closed.`;
    case 'denied':
      return 'An operator refused it. Do not ask for the same again; go on without it or report it.';
    case 'revoked':
      return 'The grant was taken back. Go on without it or report it.';
    case 'ended':
      return 'Its time is over. If it is still needed, ask again with a reason.';
  }
}
