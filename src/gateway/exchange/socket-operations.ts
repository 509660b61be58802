// Operations of GraphQL on a WebSocket, each judged as a request is: by the whole policy, with an event of its own. One that is denied gets the protocol's own
// error, and the socket stays. Of what no server could read alike the socket ends.

import type { AllowDecision, Principal, RequestAccess } from '../../policy/decision.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import {
  graphqlSocketError,
  graphqlSocketMessage,
  type GraphqlSocketMessage,
  type GraphqlSocketProtocol,
  isGraphqlSocketProtocol,
} from '../../understand/graphql-socket.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import { readJson } from '../../understand/read-json.ts';
import { readOperations } from '../policies/read-operations.ts';
import { confirmDecision, denied, givenByAny } from './confirm-decision.ts';
import { requireAudit } from './exchange.ts';
import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import { ExchangeRecord } from './exchange-record.ts';
import type { ExchangeScene } from './exchange-scene.ts';
import { operatorDetail } from './refusal.ts';
import { accountsOf, octetsOf, ownerOf, spendFor } from './spending-accounts.ts';

export interface SocketOperationsOptions {
  readonly scene: ExchangeScene;
  readonly parts: ExchangeParts;
  readonly admitted: Admitted;
  readonly protocol: GraphqlSocketProtocol;
  /** Of the event of the socket itself. */
  readonly traceId: string;
  /** Says a message to the client. */
  readonly say: (text: string) => void;
  /** Nothing more leaves. */
  readonly isOver: () => boolean;
}

type Operation = Extract<GraphqlSocketMessage, { readonly kind: 'operation' }>;

/** What an origin agreed to speak. @throws ProxyError origin_malformed */
export function agreedProtocol(offered: readonly string[]): GraphqlSocketProtocol {
  const [name = '', ...others] = offered;
  if (others.length === 0 && isGraphqlSocketProtocol(name)) return name;
  throw new ProxyError(
    'origin_malformed',
    'The response of the origin is refused: it names no protocol of GraphQL, so that what comes on its WebSocket cannot be judged.',
  );
}

export class SocketOperations {
  readonly #options: SocketOperationsOptions;

  constructor(options: SocketOperationsOptions) {
    this.#options = options;
  }

  /** Whether a message of the client goes on. @throws ProxyError policy_denied for one that cannot be read */
  async judge(text: Uint8Array): Promise<boolean> {
    const { protocol, admitted } = this.#options;
    const { jsonDepthMax: depthMax, jsonValuesMax: valuesMax } = defaultLimits;
    const json = readJson(text, { depthMax, valuesMax });
    if (json instanceof UnreadableBody) throw unreadable(json);
    const message = graphqlSocketMessage(json.value, protocol);
    if (message instanceof UnreadableBody) throw unreadable(message);
    switch (message.kind) {
      case 'other':
        return true;
      case 'init':
        // Servers take a token that stands there before the one of the head.
        if (message.hasPayload && hasCredential(admitted))
          throw unreadable(
            new UnreadableBody(
              'has a payload, by which its client could be somebody else than its credential',
            ),
          );
        return true;
      case 'operation':
        return await this.#judgeOperation(message, text.length);
    }
  }

  async #judgeOperation({ id, payload }: Operation, octets: number): Promise<boolean> {
    const { scene, parts, admitted, protocol, traceId, say } = this.#options;
    const { principal } = scene;
    const record = new ExchangeRecord(parts.audit, 'exchange', principal, parts.clock());
    record.asked({ protocol: scene.protocol });
    record.validated(admitted.validated.head);
    record.noted({ socketTrace: traceId });
    try {
      const access = await this.#admit(
        { ...admitted.access, body: { kind: 'json', value: payload, octets } },
        record,
      );
      record.passed();
      return access;
    } catch (error) {
      const fault = asProxyError(error);
      record.refused(fault, { operatorDetail: operatorDetail(fault) });
      const isUnknown = record.graphql?.asked.some(({ kind }) => kind === 'kept') === true;
      const extensions = {
        code: isUnknown ? 'PERSISTED_QUERY_NOT_FOUND' : 'FORBIDDEN',
        reason: fault.code,
        rule: record.facts.rule,
        trace: record.traceId,
      };
      say(graphqlSocketError(protocol, id, { message: `upstreamproxy: ${fault.message}`, extensions }));
      return false;
    } finally {
      record.ended();
    }
  }

  /** @throws ProxyError for what is denied, and for what is above a limit */
  async #admit(asked: RequestAccess, record: ExchangeRecord): Promise<true> {
    const { scene, parts, admitted } = this.#options;
    const { sessionId } = scene.principal;
    if (record.overRate !== undefined) throw record.overRate;
    requireAudit(parts, sessionId);
    parts.budgets.admitRequest(ownerOf(scene.principal), parts.clock());
    // What stands in the URL was for the one who opened the socket.
    const graphql = await readOperations({ ...asked, method: 'POST', query: '' });
    record.graphqlRead(graphql);
    const read: RequestAccess = { ...asked, graphql, ofWebSocket: true };
    const knownIds = await parts.ids.known(
      sessionId,
      asked,
      (known) =>
        parts.policy().decide(scene.principal, { ...read, knownIds: known }, parts.clock()).effect ===
        'allow',
    );
    const access: RequestAccess = { ...read, knownIds };
    const basis = { policy: parts.policy(), atMs: parts.clock() };
    const decision = basis.policy.decide(scene.principal, access, basis.atMs);
    record.decided(decision, { policyVersion: basis.policy.version });
    if (decision.effect === 'deny') throw denied(decision);
    if (decision.awaits !== undefined)
      throw new ProxyError('policy_denied', 'a rule looks at more of it than a WebSocket has');
    requireSameGift(scene.principal, decision, admitted.decision);
    await spendFor(accountsOf(scene.principal, decision), (id, counted) =>
      parts.budgets.admit(id, counted, parts.clock()),
    );
    confirmDecision({ access, decision, basis }, scene.principal, parts);
    if (this.#options.isOver())
      throw new ProxyError('policy_denied', 'the WebSocket was closed while this waited');
    return true;
  }
}

/** @throws ProxyError policy_denied for what needs another socket */
function requireSameGift(principal: Principal, decision: AllowDecision, opened: AllowDecision): void {
  const otherwise = (what: string): ProxyError =>
    new ProxyError(
      'policy_denied',
      `the rule ${decision.rule.name}, which allows it, ${what} than ${opened.rule.name}, by which this WebSocket was opened; send it as a request of its own`,
    );
  if (givenByAny({ ...decision, readsOperations: true }) !== givenByAny({ ...opened, readsOperations: true }))
    throw otherwise('gives other things');
  // Octets are paid for where they pass, from what the socket was opened with.
  const paid = new Set(octetsOf(accountsOf(principal, opened)));
  if (!octetsOf(accountsOf(principal, decision)).every((one) => paid.has(one)))
    throw otherwise('counts bytes in another way');
}

/** Of the rule, put on or not, or of the caller's home. */
function hasCredential({ decision, injected }: Admitted): boolean {
  return decision.inject.length > 0 || injected.names.length > 0;
}

function unreadable({ reason }: UnreadableBody): ProxyError {
  return new ProxyError(
    'policy_denied',
    `a rule looks at operations of GraphQL on this WebSocket, and a message on it ${reason}`,
  );
}
