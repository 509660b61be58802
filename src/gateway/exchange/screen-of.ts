// Whether a response is screened, and with what.

import type { ClientExchange } from './client-exchange.ts';
import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { ExchangeScene } from './exchange-scene.ts';
import type { ProxyError } from '../../protocol/error.ts';
import { ResponseJudges } from './response-judges.ts';
import type { ResponseRoom } from './response-room.ts';
import { ResponseScreen } from './response-screen.ts';

interface Screening {
  readonly scene: Pick<ExchangeScene, 'principal'>;
  readonly admitted: Admitted;
  readonly record: ExchangeRecord;
  readonly room: ResponseRoom;
  /** It is the reason why the exchange ends, whatever ends first. */
  readonly refuse: (error: ProxyError) => void;
}

/** Undefined where its rule does not say so. */
export function screenOf(
  client: ClientExchange,
  parts: Pick<ExchangeParts, 'credentials' | 'limits' | 'deciders' | 'policy'>,
  { scene, admitted, record, room, refuse }: Screening,
): ResponseScreen | undefined {
  const { screen, rule } = admitted.decision;
  if (screen === undefined) return undefined;
  const { table } = parts.credentials.leaks;
  const none = new Set<string>();
  const { method, destination, path, query, headers } = admitted.validated.head;
  const judges = new ResponseJudges({
    deciders: parts.deciders,
    judges: screen.judges,
    rule: rule.name,
    policyVersion: (admitted.basis?.policy ?? parts.policy()).version,
    principal: scene.principal,
    request: { method, destination, path, query, headers },
    onFact: (fact) => record.found({ decider: fact }),
  });
  return new ResponseScreen({
    client,
    screen,
    judges,
    canaries: { table, kinds: new Set(['canary']), own: none, allowed: none, placeholders: [] },
    wantsEvents: headers.all('accept').some((value) => /text\/event-stream/i.test(value)),
    limits: parts.limits,
    keep: (octets) => room.keep(octets),
    onMark: (fact) => record.found({ mark: fact }),
    refuse,
  });
}
